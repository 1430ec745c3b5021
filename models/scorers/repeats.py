"""Repeats: how likely a visitor is to come back to an item that he has had.

For items of the user's recent history the score is ``√(share of the item's events that were repeats · share of repeats
at that lag)``, the first smoothed towards the share of all events, the second that of the user's k-th latest item. For
all other items it is 0. It speaks only where repeats are recommended at all.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from contracts.learning import HISTORY
from models.arrays import RowArrays
from models.kernel import inline

# An item's own share counts like the share of all once it has so many events.
_SMOOTHING = 5.0


class Returns(NamedTuple):
    """Repeats as the kernels take them, see :class:`Repeats`."""

    events: NDArray[np.float64]
    again: NDArray[np.float64]
    lags: NDArray[np.float64]


class Repeats(RowArrays):
    """Counts of repeats, in double precision because single precision counts no further than 2^24.

    Attributes
    ----------
    events, again : ndarray of float64, shape (capacity,)
        Events of each item, and how many of them were by users who had it in their recent history.
    lags : ndarray of float64, shape (HISTORY + 2,)
        Repeats by lag; all repeats; all events.
    """

    by_row = ("events", "again")
    whole = ("lags",)

    def __init__(self, capacity: int) -> None:
        self.events = np.zeros(capacity)
        self.again = np.zeros(capacity)
        self.lags = np.zeros(HISTORY + 2)

    def arrays(self, rows: int) -> Returns:
        """Return the arrays of the rows in use."""
        return Returns(self.events[:rows], self.again[:rows], self.lags)


@inline
def learn(row, recent, r):
    """Learn one event: ``recent`` holds the rows of its user's earlier items, newest first."""
    r.events[row] += 1.0
    r.lags[HISTORY + 1] += 1.0
    for k in range(len(recent)):
        if recent[k] == row:
            r.again[row] += 1.0
            r.lags[k] += 1.0
            r.lags[HISTORY] += 1.0
            return


@inline
def score(recent, r, out):
    """Write a user's scores into ``out``, zeroed, float32 of shape (rows,)."""
    if r.lags[HISTORY] == 0.0:
        return
    share = r.lags[HISTORY] / r.lags[HISTORY + 1]
    for back in range(len(recent)):
        k = len(recent) - 1 - back  # so that the latest of several uses of an item counts
        row = recent[k]
        if row >= 0:
            own = (r.again[row] + _SMOOTHING * share) / (r.events[row] + _SMOOTHING)
            out[row] = np.sqrt(own * r.lags[k] / r.lags[HISTORY])
