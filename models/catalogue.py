"""Items: ids ↔ 64-bit keys ↔ rows of the model's arrays.

Rows are given in the order of first appearance in the learning log, so they are the same on every worker. An item is
*known* from its first event on: only known items are drawn as negatives and take part in the evaluation; an item that
was only introduced has a row and can be recommended.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.events import item_key
from models.kernel import grown, kernel

UNKNOWN = -1
_NOT_YET = -1


class Catalogue:
    """All items of the learning log so far.

    Attributes
    ----------
    ids : list of str
        Row → id.
    keys : ndarray of uint64, shape (capacity,)
        Row → key.
    events : ndarray of int64, shape (capacity,)
        Row → number of events learned.
    appeared : ndarray of int64, shape (capacity,)
        Row → what the clock showed when the item came, ms since the epoch.
    clock : int
        The latest time of any event, ms since the epoch.
    known : ndarray of int32, shape (capacity,)
        Rows of the known items in the order in which they became known; the first ``n_known`` count.
    """

    def __init__(self) -> None:
        self.ids: list[str] = []
        self.keys = np.zeros(1024, np.uint64)
        self.events = np.zeros(1024, np.int64)
        self.appeared = np.full(1024, _NOT_YET, np.int64)
        self.clock = 0
        self.known = np.zeros(1024, np.int32)
        self.n_known = 0
        self._slots = np.full(4096, UNKNOWN, np.int32)

    def __len__(self) -> int:
        """Return the number of rows in use."""
        return len(self.ids)

    @property
    def capacity(self) -> int:
        """Rows that the arrays have room for."""
        return len(self.keys)

    def rows(self, keys: NDArray[np.uint64]) -> NDArray[np.int32]:
        """Return the row of each key, -1 where there is none."""
        return np.asarray(_find(keys, self.keys, self._slots))

    def row(self, item: str) -> int:
        """Return the row of an id, -1 where there is none."""
        return int(self.rows(np.array([item_key(item)], np.uint64))[0])

    def admit(self, items: Iterable[str]) -> NDArray[np.int32]:
        """Return the rows of these ids, giving new rows to new ones in their order."""
        ids = list(items)
        keys = np.fromiter((item_key(item) for item in ids), np.uint64, len(ids))
        rows = self.rows(keys)
        for position in np.flatnonzero(rows == UNKNOWN):
            # Looked up again: the same id may stand twice in one call.
            found = int(self.rows(keys[position : position + 1])[0])
            rows[position] = found if found != UNKNOWN else self._append(ids[position], keys[position])
        return rows

    def count(self, rows: NDArray[np.int32], times: NDArray[np.int64] | None = None) -> NDArray[np.int64]:
        """Count one event for each row; return how many items were known at each, itself included.

        ``times`` are the events', ms since the epoch; without them the clock stands still.
        """
        known_at = np.empty(len(rows), np.int64)
        times = np.zeros(len(rows), np.int64) if times is None else np.array(times)  # a log's own are read-only
        self.n_known, self.clock = _count(
            rows, times, self.events, self.appeared, self.known, self.n_known, self.clock, known_at
        )
        return known_at

    def settle(self, rows: NDArray[np.int32]) -> None:
        """Say that those of the rows that have had no event came now."""
        waiting = rows[self.appeared[rows] == _NOT_YET]
        self.appeared[waiting] = self.clock

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint must hold."""
        n = len(self)
        return {
            "ids": list(self.ids),
            "events": self.events[:n].copy(),
            "appeared": self.appeared[:n].copy(),
            "clock": self.clock,
            "known": self.known[: self.n_known].copy(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over :meth:`state`; for a catalogue that is still empty."""
        self.admit(state["ids"])
        self.events[: len(self)] = state["events"]
        self.appeared[: len(self)] = state["appeared"]
        self.clock = state["clock"]
        self.n_known = len(state["known"])
        self.known[: self.n_known] = state["known"]

    def _append(self, item: str, key: np.uint64) -> int:
        row = len(self.ids)
        if row == self.capacity:
            self.keys = grown(self.keys, 2 * row)
            self.events = grown(self.events, 2 * row)
            self.appeared = grown(self.appeared, 2 * row)
            self.known = grown(self.known, 2 * row)
            self._slots = np.full(8 * row, UNKNOWN, np.int32)
            _fill(self.keys, row, self._slots)
        self.ids.append(item)
        self.keys[row] = key
        self.appeared[row] = _NOT_YET
        _insert(key, row, self._slots)
        return row


@kernel
def _insert(key, row, slots):
    mask = np.uint64(len(slots) - 1)
    at = key & mask
    while slots[at] != UNKNOWN:
        at = (at + np.uint64(1)) & mask
    slots[at] = row


@kernel
def _fill(keys, n, slots):
    for row in range(n):
        _insert(keys[row], row, slots)


@kernel
def _find(wanted, keys, slots):
    mask = np.uint64(len(slots) - 1)
    rows = np.empty(len(wanted), np.int32)
    for position in range(len(wanted)):
        at = wanted[position] & mask
        while slots[at] != UNKNOWN and keys[slots[at]] != wanted[position]:
            at = (at + np.uint64(1)) & mask
        rows[position] = slots[at]
    return rows


@kernel
def _count(rows, times, events, appeared, known, n_known, clock, known_at):
    for position in range(len(rows)):
        row = rows[position]
        clock = max(clock, times[position])
        if appeared[row] == _NOT_YET:
            appeared[row] = clock
        if events[row] == 0:
            known[n_known] = row
            n_known += 1
        events[row] += 1
        known_at[position] = n_known
    return n_known, clock
