"""All items that each resident user has had: lists that only grow, side by side in one array.

A user's list is a stretch of the array with room to grow; when the room is used up, the list moves to a larger stretch
at the end. What is left behind is reclaimed when the array is full.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from models.kernel import grown, kernel

MAX_SEEN = 10_000
"""So many items of a user are kept out of his lists exactly; beyond, the oldest tenth is let go."""

START, LENGTH, ROOM = 0, 1, 2
_FIRST_SIZE = 65_536
_LEAST_ROOM = 16


class SeenItems:
    """Lists of item keys, by slot.

    Parameters
    ----------
    capacity : int
        Slots.
    used : callable
        Returns the slots in use, whose lists must not be lost when room is reclaimed.

    Attributes
    ----------
    pool : ndarray of uint64
        All lists.
    stretches : ndarray of int64, shape (capacity, 3)
        Where the list of a slot starts in the pool, how long it is, and how long it may become there.
    """

    def __init__(self, capacity: int, used: Callable[[], NDArray[np.int64]]) -> None:
        self._used = used
        self.pool = np.zeros(_FIRST_SIZE, np.uint64)
        self.stretches = np.zeros((capacity, 3), np.int64)
        self._end = 0

    def grow(self, capacity: int) -> None:
        """Make room for ``capacity`` slots."""
        self.stretches = grown(self.stretches, capacity)

    def put(self, slot: int, keys: NDArray[np.uint64]) -> None:
        """Give a slot its list."""
        self.stretches[slot] = 0
        self.reserve(np.array([slot]), np.array([len(keys)]))
        start = self.stretches[slot, START]
        self.pool[start : start + len(keys)] = keys
        self.stretches[slot, LENGTH] = len(keys)

    def keys(self, slot: int) -> NDArray[np.uint64]:
        """Return the list of a slot, in the order in which its items came."""
        start, length, _ = self.stretches[slot]
        return self.pool[start : start + length]

    def reserve(self, slots: NDArray[np.integer], more: NDArray[np.integer]) -> None:
        """Make sure that so many items can be appended to each of some slots, all distinct."""
        _let_go(slots, self.pool, self.stretches)
        needed = self.stretches[slots, LENGTH] + more
        short = needed > self.stretches[slots, ROOM]
        if not short.any():
            return
        # Twice what is needed now, so that a list moves only as often as it doubles.
        rooms = np.maximum(_LEAST_ROOM, 2 * needed[short])
        if self._end + rooms.sum() > len(self.pool):
            self._compact(int(rooms.sum()))
        self._end = _move(slots[short], rooms, self.pool, self._end, self.stretches)

    def gather(
        self, slots: NDArray[np.int32], lengths: NDArray[np.int64]
    ) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Return the first so many keys of each slot, one list after the other, and where each starts."""
        starts = np.zeros(len(slots), np.int64)
        np.cumsum(lengths[:-1], out=starts[1:])
        values = np.empty(int(lengths.sum()), np.uint64)
        _gather(self.pool, self.stretches[slots, START], starts, lengths, values)
        return values, starts

    def is_empty(self, slot: int) -> bool:
        """Return whether nothing stands in the list of a slot."""
        return bool(self.stretches[slot, LENGTH] == 0)

    def wipe(self, slot: int) -> None:
        """Overwrite the list of a slot; one that moved before has left copies behind, which are overwritten later."""
        start, _, room = self.stretches[slot]
        self.pool[start : start + room] = 0
        self.stretches[slot] = 0

    def clear(self) -> None:
        """Let all lists go."""
        self._end = 0

    def _compact(self, room: int) -> None:
        used = self._used()
        used = used[self.stretches[used, ROOM] > 0]
        pool = np.zeros(max(_FIRST_SIZE, 2 * (int(self.stretches[used, ROOM].sum()) + room)), np.uint64)
        end = 0
        for slot in used:
            keys = self.keys(slot)
            pool[end : end + len(keys)] = keys
            self.stretches[slot, START] = end
            end += int(self.stretches[slot, ROOM])
        self.pool, self._end = pool, end


@kernel
def _gather(pool, sources, starts, lengths, values):
    for position in range(len(sources)):
        for k in range(lengths[position]):
            values[starts[position] + k] = pool[sources[position] + k]


@kernel
def _let_go(slots, pool, stretches):
    for position in range(len(slots)):
        start, length = stretches[slots[position], START], stretches[slots[position], LENGTH]
        if length >= MAX_SEEN:
            surplus = length - MAX_SEEN + MAX_SEEN // 10
            for k in range(length - surplus):
                pool[start + k] = pool[start + k + surplus]
            stretches[slots[position], LENGTH] = length - surplus


@kernel
def _move(slots, rooms, pool, end, stretches):
    for position in range(len(slots)):
        slot = slots[position]
        start, length = stretches[slot, START], stretches[slot, LENGTH]
        for k in range(length):
            pool[end + k] = pool[start + k]
        stretches[slot, START] = end
        stretches[slot, ROOM] = rooms[position]
        end += rooms[position]
    return end
