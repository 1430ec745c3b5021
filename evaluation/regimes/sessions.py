"""Short sessions: people come to a large shop for one thing, look at a few items of its kind, and are not seen again.

Items of a topic stand on a shelf in an order of their own. A visitor enters the shelf at one of its popular items; he
mostly goes on to an item close by, sometimes to another popular one of the topic, rarely to another topic. Three in
four visits are of someone new; the others are of someone who was there before, mostly for the same topic.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evaluation.regimes.world import DAY_MS, START_MS, Size, World, titles, zipf

SIZE = Size(users=30_000, events=150_000)
_TOPICS, _SHELF = 300, 100  # 30,000 items
_SHORTEST, _LONGEST = 2, 8
_GO_ON = 0.66  # share of visits that go on after each look beyond the shortest
_NEARBY, _ELSEWHERE = 0.6, 0.08  # a step to a neighbour on the shelf; a step to another topic
_REACH = 4  # how far away a neighbour may stand
_RETURNS = 0.25  # visits by someone who was there before
_SAME = 0.7  # of them for the same topic as before
_ZIPF_TOPIC, _ZIPF_ITEM = 0.6, 0.9
_SECONDS = 40.0  # mean time between two looks
_DAYS = 30


def sessions(size: Size, seed: int) -> World:
    """Return a world of ``size.events`` looks; ``size.users`` bounds how many people there are."""
    draw = np.random.default_rng(seed)
    mean = sum(_GO_ON**look for look in range(_LONGEST - _SHORTEST + 1)) - 1 + _SHORTEST
    visits = max(1, round(size.events / mean))
    shelf_order = np.argsort(draw.random((_TOPICS, _SHELF)), axis=1)  # popularity → place on the shelf
    topics, items = zipf(_TOPICS, _ZIPF_TOPIC), zipf(_SHELF, _ZIPF_ITEM)
    user, before = _people(visits, size.users, draw)
    topic = draw.choice(_TOPICS, size=visits, p=topics)
    for visit in np.flatnonzero((before >= 0) & (draw.random(visits) < _SAME)).tolist():
        topic[visit] = topic[before[visit]]
    length = _SHORTEST + np.minimum(draw.geometric(1 - _GO_ON, size=visits) - 1, _LONGEST - _SHORTEST)
    place = shelf_order[topic, draw.choice(_SHELF, size=visits, p=items)]
    looks: NDArray[np.int64] = np.full((visits, _LONGEST), -1)
    looks[:, 0] = topic * _SHELF + place
    for look in range(1, _LONGEST):
        chance = draw.random(visits)
        near = (place + draw.choice([-1, 1], size=visits) * draw.integers(1, _REACH + 1, size=visits)) % _SHELF
        place = np.where(chance < _NEARBY, near, shelf_order[topic, draw.choice(_SHELF, size=visits, p=items)])
        other = draw.choice(_TOPICS, size=visits, p=topics)
        looks[:, look] = np.where(chance > 1 - _ELSEWHERE, other, topic) * _SHELF + place
    shown = np.arange(_LONGEST) < length[:, None]
    start = np.sort(draw.uniform(0, _DAYS * DAY_MS, visits))
    time = START_MS + start[:, None] + np.cumsum(draw.exponential(1000 * _SECONDS, looks.shape) + 1000, axis=1)
    flat = time[shown].astype(np.int64)
    order = np.argsort(flat, kind="stable")
    kind = np.repeat(np.arange(_TOPICS), _SHELF)
    return World(
        user=np.broadcast_to(user[:, None], looks.shape)[shown][order],
        item=looks[shown][order],
        time=flat[order],
        rating=None,
        topic=kind,
        created=None,
        titles=titles(kind, draw),
    )


def _people(visits: int, most: int, draw: np.random.Generator) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Return whose each visit is, and which visit of his was before it, -1 = none."""
    returns, earlier = draw.random(visits), draw.random(visits)
    user: NDArray[np.int64] = np.zeros(visits, np.int64)
    before: NDArray[np.int64] = np.full(visits, -1)
    last: list[int] = []
    for visit in range(visits):
        if last and (returns[visit] < _RETURNS or len(last) == most):
            # More likely someone who was there lately.
            who = int(len(last) * earlier[visit] ** 0.5)
            user[visit], before[visit], last[who] = who, last[who], visit
        else:
            user[visit] = len(last)
            last.append(visit)
    return user, before
