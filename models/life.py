"""Which items leave the model: those that nobody has used for long, and the longest idle where there are too many.

Decided inside the fold, from nothing but what was folded, so every worker lets the same items go at the same record. It
happens between two records: where the same events were cut into records otherwise, an item may leave a record later.
An item that comes again is admitted anew, as one that was never there.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.catalogue import FREE, Catalogue

_DAY_MS = 24 * 3600 * 1000
# Idle items are looked for so many times in the time that makes one idle.
_LOOKS = 16
# So many per cent more than needed leave at once, because looking for them takes a pass over all items.
_MORE = 5


@dataclass(frozen=True, slots=True)
class Life:
    """Settings of the catalogue's life; the same on every worker.

    Attributes
    ----------
    admit_after : int
        Events from which on an item is drawn as a negative, and listed though nothing was said of it.
    idle_days : float
        Days without an event, by the events' time, after which an item leaves; 0 = never.
    max_items : int
        Where there are more, the longest idle leave, but none that the same record brought.

    Raises
    ------
    ValueError
        When a value lies outside its range.
    """

    admit_after: int = 1
    idle_days: float = 0.0
    max_items: int = 1_000_000

    def __post_init__(self) -> None:
        if self.admit_after < 1 or self.max_items < 1 or self.idle_days < 0:
            raise ValueError(f"admit_after and max_items are at least 1, idle_days is at least 0: {self}")

    def over(self, catalogue: Catalogue, clock: int, ticks: int) -> NDArray[np.int32]:
        """Return the rows of the items that are to leave after a record.

        Parameters
        ----------
        catalogue : Catalogue
            As the record left it.
        clock, ticks : int
            The catalogue's, before the record.
        """
        idle_ms = round(self.idle_days * _DAY_MS)
        look = idle_ms > 0 and clock * _LOOKS // idle_ms != catalogue.clock * _LOOKS // idle_ms
        if not look and catalogue.items <= self.max_items:
            return np.zeros(0, np.int32)
        n = len(catalogue)
        last = catalogue.last[:n]
        leaves = (last != FREE) & (last <= ticks)
        if idle_ms:
            idle = leaves & (catalogue.used[:n] < catalogue.clock - idle_ms)
            surplus = catalogue.items - int(idle.sum()) - self.max_items
        else:
            idle, surplus = np.zeros(n, np.bool_), catalogue.items - self.max_items
        if surplus > 0:
            surplus += self.max_items * _MORE // 100
            others = np.flatnonzero(leaves & ~idle)
            idle[others[np.argsort(last[others], kind="stable")[:surplus]]] = True
        return np.flatnonzero(idle).astype(np.int32)
