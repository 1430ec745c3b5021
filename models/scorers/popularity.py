"""Popularity: how often each item was chosen lately, at half-lives counted in events and in hours.

Forward decay: instead of shrinking all old counts at every event, a new event weighs more, ``2^age`` with the age of
the stream in half-lives; when ages grow large, all counts are scaled down once. Half-lives in events suit streams of
any speed, half-lives in hours those that sleep at night.

References
----------
Cormode, Shkapenyuk, Srivastava, Xu: Forward Decay. ICDE 2009.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import RowArrays
from models.kernel import inline

_HOUR_MS = 3600 * 1000
IN_EVENTS = (5000.0, 100.0)
IN_HOURS = (24.0, 168.0)
POPULAR, TRENDING, DAILY, WEEKLY = 0, 1, 2, 3
"""Positions of the half-lives in ``counts``: 5,000 and 100 events, a day and a week."""
_STEPS = np.array([1.0 / events for events in IN_EVENTS])
_STEPS_PER_MS = np.array([1.0 / (hours * _HOUR_MS) for hours in IN_HOURS])
# Far below float64's 2^1023, and rare enough to cost nothing.
_RESCALE_AT = 256.0
_BLOCK = 128  # items scored at once: their counts stay in the nearest cache


class Counts(NamedTuple):
    """Popularity as the kernels take it, see :class:`Popularity`."""

    counts: NDArray[np.float64]
    ages: NDArray[np.float64]
    clock: NDArray[np.int64]


class Popularity(RowArrays):
    """Decayed event counts.

    Attributes
    ----------
    counts : ndarray of float64, shape (capacity, 4)
        In growing units: only their order and their ratios mean something.
    ages : ndarray of float64, shape (4,)
        Age of the stream since the last rescaling, in half-lives.
    clock : ndarray of int64, shape (1,)
        Latest event time so far, ms since the epoch; earlier ones do not turn it back. -1 = none yet.
    """

    by_row = ("counts",)
    whole = ("ages", "clock")

    def __init__(self, capacity: int) -> None:
        n = len(IN_EVENTS) + len(IN_HOURS)
        self.counts = np.zeros((capacity, n))
        self.ages = np.zeros(n)
        self.clock = np.full(1, -1, np.int64)

    def arrays(self, rows: int) -> Counts:
        """Return the arrays of the rows in use."""
        return Counts(self.counts[:rows], self.ages, self.clock)


@inline
def score(c, out):
    """Score all items under each half-life by the root of their counts; ``out`` is float32 of shape (4 or more, rows).

    A block at a time: roots of all its counts as they lie, which vectorises, then each half-life's apart.
    """
    popular, trending, daily, weekly = out[POPULAR], out[TRENDING], out[DAILY], out[WEEKLY]
    scales = 2.0**-c.ages
    factors, roots = np.empty(4 * _BLOCK), np.empty(4 * _BLOCK, np.float32)
    for k in range(4 * _BLOCK):
        factors[k] = scales[k % 4]
    counts, n = c.counts.reshape(-1), len(popular)
    for first in range(0, n, _BLOCK):
        block = counts[4 * first : 4 * min(first + _BLOCK, n)]
        for k in range(len(block)):
            roots[k] = np.sqrt(np.float32(block[k] * factors[k]))
        for x in range(len(block) // 4):
            # Unsigned, or each index would be looked at for being one from the end.
            at = np.uint64(4) * np.uint64(x)
            popular[first + x] = roots[at]
            trending[first + x] = roots[at + np.uint64(1)]
            daily[first + x] = roots[at + np.uint64(2)]
            weekly[first + x] = roots[at + np.uint64(3)]


@inline
def learn(row, weight, time, c):
    """Learn one event: ``time`` in ms since the epoch."""
    passed = max(time - c.clock[0], 0) if c.clock[0] >= 0 else 0
    c.clock[0] = max(time, c.clock[0])
    for h in range(len(c.ages)):
        if h < len(_STEPS):
            c.ages[h] += _STEPS[h]
        else:
            c.ages[h] += passed * _STEPS_PER_MS[h - len(_STEPS)]
        if c.ages[h] > _RESCALE_AT:
            scale = 2.0 ** -c.ages[h]
            for x in range(len(c.counts)):
                c.counts[x, h] *= scale
            c.ages[h] = 0.0
        c.counts[row, h] += weight * 2.0 ** c.ages[h]
