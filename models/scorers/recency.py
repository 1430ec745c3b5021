"""Recency: how many events ago anybody last used an item, or it first appeared.

The score is ``−L(n + 1)`` for n events ago, L being the logarithm to base 2, drawn straight between powers of two.
Where items live for hours, as news do, it says more than any count.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import RowArrays
from models.kernel import inline


class LastUses(NamedTuple):
    """Recency as the kernels take it, see :class:`Recency`."""

    last: NDArray[np.int64]
    clock: NDArray[np.int64]


class Recency(RowArrays):
    """When each item was last used.

    Attributes
    ----------
    last : ndarray of int64, shape (capacity,)
        Number of the item's last event among all events, or of the events when it appeared.
    clock : ndarray of int64, shape (1,)
        Events so far.
    """

    by_row = ("last",)
    whole = ("clock",)

    def __init__(self, capacity: int) -> None:
        self.last = np.zeros(capacity, np.int64)
        self.clock = np.zeros(1, np.int64)

    def start(self, rows: NDArray[np.int32], events: NDArray[np.int64]) -> None:
        """Let rows appear, each after so many more events."""
        self.last[rows] = self.clock[0] + events

    def arrays(self, rows: int) -> LastUses:
        """Return the arrays of the rows in use."""
        return LastUses(self.last[:rows], self.clock)


@inline
def learn(row, r):
    """Learn one event."""
    r.clock[0] += 1
    r.last[row] = r.clock[0]


@inline
def score(r, ages, out):
    """Score all items; ``ages`` is scratch, both float32 of shape (rows,)."""
    for x in range(len(out)):
        ages[x] = np.float32(r.clock[0] - r.last[x] + 1)
    # The bits of a float, read as an integer, are its logarithm drawn straight between powers of two.
    bits = ages.view(np.int32)
    for x in range(len(out)):
        out[x] = np.float32(127.0) - np.float32(bits[x]) * np.float32(1.0 / (1 << 23))
