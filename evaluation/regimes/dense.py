"""Dense tastes: people with long histories rate what fits a slowly moving taste, some visits long, some short.

Items lie in a latent space around the centres of their topics; a taste is a point there. At each visit a person takes
the items with the largest ``popularity + fit + noise`` that he has not had (Gumbel noise: a draw without replacement),
and rates them by how well they fit.
"""

from __future__ import annotations

import numpy as np

from evaluation.regimes.world import DAY_MS, START_MS, Size, World, titles, unit, zipf

SIZE = Size(users=1500, events=150_000)
_ITEMS, _TOPICS, _DIMENSIONS = 2500, 18, 16
_DAYS = 240  # in which people arrive; their visits go on for a while after the last has come
_SPREAD = 0.7  # length of what tells an item, or a person, from the centre of its topic
_FIT = 7.0  # how much more likely an item right at the taste is than one across to it: e^7
_ZIPF = 0.7
_DRIFT = 0.25  # length of a taste's step between two visits
_VISITS = 4.0  # mean number of a person's visits beside the first
_BETWEEN = 20.0  # mean days between them
_SECONDS = 25.0  # mean time between two ratings of a visit


def dense(size: Size, seed: int) -> World:
    """Return a world of ``size.users`` people with about ``size.events`` ratings."""
    draw = np.random.default_rng(seed)
    centres = unit(draw.normal(size=(_TOPICS, _DIMENSIONS)))
    topic = draw.integers(_TOPICS, size=_ITEMS)
    vectors = unit(centres[topic] + draw.normal(scale=_SPREAD / _DIMENSIONS**0.5, size=(_ITEMS, _DIMENSIONS)))
    popularity = np.log(draw.permutation(zipf(_ITEMS, _ZIPF)))
    users, items, times, fits = [], [], [], []
    # Long histories are much longer than the usual ones.
    activity = draw.lognormal(sigma=0.9, size=size.users)
    lengths = np.maximum(np.round(activity * size.events / activity.sum()).astype(np.int64), 5)
    arrivals = np.sort(draw.uniform(0, _DAYS, size.users))
    for user in range(size.users):
        length = int(min(lengths[user], _ITEMS // 3))
        cuts = np.sort(draw.integers(1, length, size=min(int(draw.poisson(_VISITS)), length - 1)))
        taste = unit(centres[draw.integers(_TOPICS, size=2)].sum(axis=0) + draw.normal(scale=0.2, size=_DIMENSIONS))
        day, free = float(arrivals[user]), np.zeros(_ITEMS)
        for first, last in zip([0, *cuts], [*cuts, length], strict=True):
            fit = vectors @ taste
            keys = popularity + _FIT * fit + draw.gumbel(size=_ITEMS) + free
            taken = np.argpartition(-keys, last - first)[: last - first]
            taken = taken[np.argsort(-keys[taken])]
            free[taken] = -np.inf
            users.append(np.full(len(taken), user))
            items.append(taken)
            times.append(day * DAY_MS + 1000 * np.cumsum(draw.exponential(_SECONDS, len(taken)) + 1))
            fits.append(fit[taken])
            day += float(draw.exponential(_BETWEEN))
            taste = unit(taste + draw.normal(scale=_DRIFT / _DIMENSIONS**0.5, size=_DIMENSIONS))
    time = START_MS + np.concatenate(times).astype(np.int64)
    order = np.argsort(time, kind="stable")
    stars = np.round(3.2 + 2.0 * (np.concatenate(fits) - 0.3) + draw.normal(scale=0.8, size=len(order)))
    return World(
        user=np.concatenate(users)[order],
        item=np.concatenate(items)[order],
        time=time[order],
        rating=np.clip(stars, 1, 5)[order],
        topic=topic,
        created=None,
        titles=titles(topic, draw),
    )
