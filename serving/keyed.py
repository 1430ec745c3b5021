"""One at a time for each key, and what was done last under it."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from typing import Generic, TypeVar
from weakref import WeakValueDictionary

T = TypeVar("T")


class Keyed(Generic[T]):
    """Locks that exist while somebody holds them, and notes of the most recent keys.

    Parameters
    ----------
    most : int
        Notes that are kept.
    """

    def __init__(self, most: int = 10_000) -> None:
        self._locks: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._notes: OrderedDict[str, T] = OrderedDict()
        self._most = most

    def lock(self, key: str) -> asyncio.Lock:
        """Return the lock of a key."""
        lock = self._locks.get(key)
        if lock is None:
            lock = self._locks[key] = asyncio.Lock()
        return lock

    def note(self, key: str, value: T) -> None:
        """Remember what was done last under a key."""
        self._notes[key] = value
        self._notes.move_to_end(key)
        if len(self._notes) > self._most:
            self._notes.popitem(last=False)

    def of(self, key: str) -> T | None:
        """Return what was noted last under a key, None where that is too long ago."""
        return self._notes.get(key)
