"""Confidence intervals by bootstrap over users: whole users are drawn, because a user's events are not independent.

All models are resampled together, so that differences between them are paired.

References
----------
Efron, Tibshirani: An Introduction to the Bootstrap. 1993 (percentile intervals, section 13.3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAMPLES = 1000
LEVEL = 0.95
_CHUNK = 1 << 22  # users drawn at once

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Difference:
    """How one model's metric differs from another's.

    Attributes
    ----------
    absolute, relative : float
        Of the means: a − b, and a / b − 1.
    interval, relative_interval : tuple of float
        Lower and upper bound of each.
    p : float
        Two-sided bootstrap probability of a difference at least that far from 0, if there were none.
    """

    absolute: float
    interval: tuple[float, float]
    relative: float
    relative_interval: tuple[float, float]
    p: float


def resampled(user: NDArray[np.integer], values: Floats, seed: int = 0, samples: int = SAMPLES) -> Floats:
    """Return the mean of every column in each bootstrap sample of users.

    Parameters
    ----------
    user : ndarray, shape (m,)
        Whose event each row is.
    values : ndarray, shape (m, c)
        One row per event.
    seed : int
        The same seed and users give the same samples.
    samples : int
        How many.

    Returns
    -------
    ndarray, shape (samples, c)
    """
    _, code = np.unique(user, return_inverse=True)
    users = int(code.max(initial=-1)) + 1
    if not users:
        return np.full((samples, values.shape[1]), np.nan)
    columns = [np.bincount(code, weights=column, minlength=users) for column in (np.ones(len(code)), *values.T)]
    sums = np.column_stack(columns)
    draw = np.random.default_rng(seed)
    totals = np.empty((samples, sums.shape[1]))
    step = max(1, _CHUNK // users)
    for first in range(0, samples, step):
        n = min(step, samples - first)
        drawn = draw.integers(users, size=(n, users)) + users * np.arange(n)[:, None]
        times = np.bincount(drawn.ravel(), minlength=n * users).reshape(n, users)
        totals[first : first + n] = times @ sums
    return np.asarray(totals[:, 1:] / totals[:, :1])


def interval(samples: Floats) -> tuple[float, float]:
    """Return the bounds between which the middle ``LEVEL`` of the samples lie, shape (samples,)."""
    low, high = np.quantile(samples, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return float(low), float(high)


def difference(mean_a: float, mean_b: float, a: Floats, b: Floats) -> Difference:
    """Compare two models by their means over all events and in the same bootstrap samples, shape (samples,)."""
    apart = a - b
    ratio = np.divide(a, b, out=np.ones_like(a), where=b != 0) - 1.0
    # Never 0: with so many samples nothing smaller can be told.
    tail = (1 + min((apart <= 0).sum(), (apart >= 0).sum())) / (1 + len(apart))
    return Difference(
        float(mean_a - mean_b),
        interval(apart),
        float(mean_a / mean_b - 1.0) if mean_b else 0.0,
        interval(ratio),
        float(min(1.0, 2 * tail)),
    )
