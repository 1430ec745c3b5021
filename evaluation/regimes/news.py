"""News: articles appear around the clock and are read for hours; readers come by topic.

In steps of minutes the readers of each step choose among all articles that are out, by
``interest · taste for its topic · e^(−age / life)``. What was read yesterday says little of what is read now; which
topics somebody reads says much.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evaluation.regimes.world import DAY_MS, HOUR_MS, START_MS, Size, World, titles

SIZE = Size(users=5000, events=150_000)
_DAYS, _PER_DAY, _TOPICS = 10, 400, 20
_LIFE_H, _LIVES = 3.0, 0.5  # median of an article's life, and how much lives differ (σ of its logarithm)
_GONE_H = 36  # nobody reads an article after that
_TASTE = 0.25  # concentration of a reader's topics (Dirichlet): a few of them make most of what he reads
_INTEREST = 1.0  # σ of the logarithm of how interesting articles are
_STEP_MS = 5 * 60_000


def news(size: Size, seed: int) -> World:
    """Return a world of ``size.users`` readers and ``size.events`` clicks."""
    draw = np.random.default_rng(seed)
    articles = _DAYS * _PER_DAY
    created = np.sort(draw.uniform(-_GONE_H * HOUR_MS, _DAYS * DAY_MS, articles)).astype(np.int64)
    topic = draw.integers(_TOPICS, size=articles)
    life = draw.lognormal(np.log(_LIFE_H * HOUR_MS), _LIVES, articles)
    interest = draw.lognormal(0.0, _INTEREST, articles)
    tastes = draw.dirichlet(np.full(_TOPICS, _TASTE), size.users)
    time = _times(size.events, draw)
    activity = draw.lognormal(sigma=1.0, size=size.users)
    user = draw.choice(size.users, size=size.events, p=activity / activity.sum())
    item: NDArray[np.int64] = np.full(size.events, -1)
    read = np.zeros((size.users, articles), np.bool_)
    starts = np.unique(time // _STEP_MS, return_index=True)[1]
    for first, last in zip(starts, [*starts[1:], size.events], strict=True):
        now = time[first]
        out = np.arange(*np.searchsorted(created, (now - _GONE_H * HOUR_MS, now), side="right"))
        who = user[first:last]
        draws = draw.random(len(who))
        pull = interest[out] * np.exp((created[out] - now) / life[out])
        reach = np.cumsum(tastes[who][:, topic[out]] * pull * ~read[who[:, None], out], axis=1)
        chosen = out[np.minimum((reach < draws[:, None] * reach[:, -1:]).sum(axis=1), len(out) - 1)]
        item[first:last] = chosen
        read[who, chosen] = True
    return World(
        user=user.astype(np.int64),
        item=item,
        time=START_MS + time,
        rating=None,
        topic=topic,
        created=START_MS + created,
        titles=titles(topic, draw),
    )


def _times(events: int, draw: np.random.Generator) -> NDArray[np.int64]:
    """Return when somebody reads: by day twice as often as by night."""
    hours = np.arange(_DAYS * 24)
    weights = 1.0 + 0.35 * np.sin(2 * np.pi * (hours - 8) / 24)
    hour = draw.choice(hours, size=events, p=weights / weights.sum())
    return np.sort(hour * HOUR_MS + draw.integers(HOUR_MS, size=events))
