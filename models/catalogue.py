"""Items: ids ↔ 64-bit keys ↔ rows of the model's arrays.

Rows are given in the order of first appearance in the learning log, those that were freed before new ones, so they are
the same on every worker. An item is *known* once it has had enough events: only known items are drawn as negatives and
take part in the evaluation. Known items and those that were introduced may be *listed*. What leaves is decided by
:mod:`models.life`: its row is free then, and given to another item when one comes.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.events import item_key
from models.kernel import grown, kernel

UNKNOWN = -1
FREE = -1
_NOT_YET = -1
_ARRAYS = ("keys", "events", "appeared", "used", "last", "introduced", "assigned", "known")
_KEPT = ("events", "appeared", "used", "last", "introduced")


class Catalogue:
    """All items of the learning log so far that have not left.

    Parameters
    ----------
    admit_after : int
        Events from which on an item is known.

    Attributes
    ----------
    ids : list of str
        Row → id, empty where the row is free.
    keys : ndarray of uint64, shape (capacity,)
        Row → key.
    events : ndarray of int64, shape (capacity,)
        Row → number of events learned.
    appeared, used : ndarray of int64, shape (capacity,)
        Row → what the clock showed when the item came, and when it was last used, ms since the epoch.
    last : ndarray of int64, shape (capacity,)
        Row → which of all uses and arrivals was the item's last, counted by ``ticks``; -1 = the row is free.
    introduced : ndarray of bool, shape (capacity,)
        Whether the item was introduced, by its record and not by an event.
    assigned : ndarray of int64, shape (capacity,)
        Row → how many rows had been given before it was: later ones are larger.
    clock : int
        The latest time of any event, ms since the epoch.
    known : ndarray of int32, shape (capacity,)
        Rows of the known items in the order in which they became known; the first ``n_known`` count.
    known_count : ndarray of int64, shape (1,)
        How many they are, where the fold counts them.
    """

    def __init__(self, admit_after: int = 1) -> None:
        self.admit_after = admit_after
        self.ids: list[str] = []
        self.keys = np.zeros(1024, np.uint64)
        self.events = np.zeros(1024, np.int64)
        self.appeared = np.full(1024, _NOT_YET, np.int64)
        self.used = np.zeros(1024, np.int64)
        self.last = np.full(1024, FREE, np.int64)
        self.introduced = np.zeros(1024, np.bool_)
        self.assigned = np.zeros(1024, np.int64)
        self.clock = 0
        self.ticks = 0
        self.serial = 0
        self.known = np.zeros(1024, np.int32)
        self.known_count = np.zeros(1, np.int64)
        self._free: list[int] = []  # given from the end
        self._reused = False
        self._slots = np.full(4096, UNKNOWN, np.int32)

    def __len__(self) -> int:
        """Return the number of rows ever used, free ones included."""
        return len(self.ids)

    @property
    def items(self) -> int:
        """Number of items that have a row."""
        return len(self.ids) - len(self._free)

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

    def is_known(self) -> NDArray[np.bool_]:
        """Return which rows hold a known item, shape (rows,)."""
        return np.asarray(self.events[: len(self)] >= self.admit_after)

    def is_listed(self) -> NDArray[np.bool_]:
        """Return which rows hold an item that may be listed, shape (rows,)."""
        return self.is_known() | self.introduced[: len(self)]

    def lists(self, item: str) -> bool:
        """Return whether an item may be listed."""
        row = self.row(item)
        return row >= 0 and bool(self.events[row] >= self.admit_after or self.introduced[row])

    def assigned_since(self, serial: int) -> NDArray[np.int64]:
        """Return the rows given to items since :attr:`serial` was so large."""
        if not self._reused:
            return np.arange(serial, len(self))
        return np.flatnonzero(self.assigned[: len(self)] >= serial) if serial < self.serial else np.zeros(0, np.int64)

    def admit(self, items: Iterable[str]) -> NDArray[np.int32]:
        """Return the rows of these ids, giving rows to new ones in their order."""
        ids = list(items)
        keys = np.fromiter((item_key(item) for item in ids), np.uint64, len(ids))
        rows = self.rows(keys)
        for position in np.flatnonzero(rows == UNKNOWN):
            # Looked up again: the same id may stand twice in one call.
            found = int(self.rows(keys[position : position + 1])[0])
            rows[position] = found if found != UNKNOWN else self._give(ids[position], keys[position])
        return rows

    @property
    def n_known(self) -> int:
        """Number of known items."""
        return int(self.known_count[0])

    def use(self, rows: NDArray[np.int32], times: NDArray[np.int64], wished: NDArray[np.bool_]) -> None:
        """Note that the items of these rows were used, in this order, at these times in ms since the epoch.

        What was no wish is an item's arrival where it is the first that is heard of it, and otherwise no use.
        """
        self.clock, self.ticks = _use(rows, times, wished, self.appeared, self.used, self.last, self.clock, self.ticks)

    def settle(self, rows: NDArray[np.int32]) -> None:
        """Say that those of the rows that were never used came now, in their order."""
        waiting = rows[self.appeared[rows] == _NOT_YET]
        waiting = waiting[np.sort(np.unique(waiting, return_index=True)[1])]
        self.appeared[waiting] = self.used[waiting] = self.clock
        self.last[waiting] = self.ticks + 1 + np.arange(len(waiting))
        self.ticks += len(waiting)

    def release(self, rows: NDArray[np.int32]) -> list[str]:
        """Let the items of these rows go; return their ids. Each row is free until an item comes that needs one."""
        gone = [self.ids[row] for row in rows.tolist()]
        is_gone = np.zeros(len(self), np.bool_)
        is_gone[rows] = True
        known = self.known[: self.n_known]
        left = known[~is_gone[known]]
        self.known_count[0] = len(left)
        self.known[: len(left)] = left
        for row in rows.tolist():
            self.ids[row] = ""
        self.events[rows], self.introduced[rows] = 0, False
        self.appeared[rows], self.used[rows], self.last[rows] = _NOT_YET, 0, FREE
        self._free += sorted(rows.tolist(), reverse=True)
        self._index()
        return gone

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint must hold."""
        n = len(self)
        return {
            "ids": list(self.ids),
            "clock": self.clock,
            "ticks": self.ticks,
            "known": self.known[: self.n_known].copy(),
            "free": np.array(self._free, np.int32),
            **{name: getattr(self, name)[:n].copy() for name in _KEPT},
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over :meth:`state`; for a catalogue that is still empty."""
        self.ids = list(state["ids"])
        n = len(self)
        while self.capacity < n:
            self._grow()
        self.keys[:n] = np.fromiter((item_key(item) for item in self.ids), np.uint64, n)
        self.assigned[:n] = np.arange(n)
        self.serial, self.clock, self.ticks = n, state["clock"], state["ticks"]
        for name in _KEPT:
            getattr(self, name)[:n] = state[name]
        self._free = state["free"].tolist()
        self._index()
        # Those that are known by the settings of now, which may be others than those of the checkpoint.
        was = state["known"]
        is_known = self.is_known()
        known = np.concatenate([was[is_known[was]], np.setdiff1d(np.flatnonzero(is_known), was)])
        self.known_count[0] = len(known)
        self.known[: len(known)] = known

    def _give(self, item: str, key: np.uint64) -> int:
        if self._free:
            row = self._free.pop()
            self.ids[row] = item
            self._reused = True
        else:
            row = len(self.ids)
            if row == self.capacity:
                self._grow()
                self._index()
            self.ids.append(item)
        self.keys[row] = key
        self.appeared[row] = _NOT_YET
        self.last[row] = self.ticks
        self.assigned[row] = self.serial
        self.serial += 1
        _insert(key, row, self._slots)
        return row

    def _grow(self) -> None:
        capacity = 2 * self.capacity
        for name in _ARRAYS:
            setattr(self, name, grown(getattr(self, name), capacity))
        self._slots = np.full(4 * capacity, UNKNOWN, np.int32)

    def _index(self) -> None:
        self._slots.fill(UNKNOWN)
        _fill(self.keys, self.last, len(self), self._slots)


@kernel
def _insert(key, row, slots):
    mask = np.uint64(len(slots) - 1)
    at = key & mask
    while slots[at] != UNKNOWN:
        at = (at + np.uint64(1)) & mask
    slots[at] = row


@kernel
def _fill(keys, last, n, slots):
    for row in range(n):
        if last[row] != FREE:
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
def _use(rows, times, wished, appeared, used, last, clock, ticks):
    for position in range(len(rows)):
        row = rows[position]
        clock = max(clock, times[position])
        if wished[position] or appeared[row] == _NOT_YET:
            ticks += 1
            used[row] = clock
            last[row] = ticks
        if appeared[row] == _NOT_YET:
            appeared[row] = clock
    return clock, ticks
