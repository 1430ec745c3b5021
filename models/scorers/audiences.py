"""Popularity with an audience: how often each item was chosen lately by people who came back, and by newcomers.

What people choose first on coming back is unlike what they choose once they are at it, and newcomers choose unlike
both: counts over all events, most of which come from the middle of visits, say little of either. So each audience has
counts of its own, decayed by their half-life in its own events (forward decay, see :mod:`models.scorers.popularity`).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import RowArrays
from models.kernel import inline

AUDIENCES = ("returners", "newcomers")
RETURNERS, NEWCOMERS = range(len(AUDIENCES))
HALF_LIFE = 1000.0
"""In events of the audience."""
_RESCALE_AT = 256.0  # as in models.scorers.popularity


class Chosen(NamedTuple):
    """What audiences choose as the kernels take it, see :class:`Audiences`."""

    counts: NDArray[np.float64]
    ages: NDArray[np.float64]


class Audiences(RowArrays):
    """Decayed event counts of each audience.

    Attributes
    ----------
    counts : ndarray of float64, shape (capacity, len(AUDIENCES))
        In growing units: only their order and their ratios mean something.
    ages : ndarray of float64, shape (len(AUDIENCES),)
        Events of the audience since the last rescaling, in half-lives.
    """

    by_row = ("counts",)
    whole = ("ages",)

    def __init__(self, capacity: int) -> None:
        self.counts = np.zeros((capacity, len(AUDIENCES)))
        self.ages = np.zeros(len(AUDIENCES))

    def arrays(self, rows: int) -> Chosen:
        """Return the arrays of the rows in use."""
        return Chosen(self.counts[:rows], self.ages)


@inline
def score(c, out):
    """Score all items by the root of each audience's counts; ``out`` is float32 of shape (len(AUDIENCES), rows)."""
    for a in range(len(AUDIENCES)):
        scale, scores = 2.0 ** -c.ages[a], out[a]
        for x in range(len(scores)):
            scores[x] = np.sqrt(np.float32(c.counts[x, a] * scale))


@inline
def learn(row, weight, audience, c):
    """Learn one event of somebody in an audience."""
    c.ages[audience] += 1.0 / HALF_LIFE
    if c.ages[audience] > _RESCALE_AT:
        scale = 2.0 ** -c.ages[audience]
        for x in range(len(c.counts)):
            c.counts[x, audience] *= scale
        c.ages[audience] = 0.0
    c.counts[row, audience] += weight * 2.0 ** c.ages[audience]
