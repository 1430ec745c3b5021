"""The table of users as arrays: who has which slot, and the columns that hold what is known of him."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from contracts.learning import HISTORY
from models.arrivals import TOPICS
from models.attributes import FEATURES
from models.kernel import grown
from models.seen import SeenItems

SHOWN = 10
"""So many heads of each user's list are remembered, for measuring it."""


class Slots:
    """Resident users, a slot each; the columns grow together, and a slot that is free is given again.

    Attributes
    ----------
    names : list of str
        Slot → user, empty where it is free.
    listed : ndarray of int64, shape (capacity,)
        Revision of the engine that made the user's list; 0 = none yet.
    shown : ndarray of int32, shape (capacity, SHOWN)
        Rows that head his list, for measuring it; -1 = none.
    made, acted : ndarray of int64, shape (capacity,)
        When his list was made, and when this worker last heard of him, ms since the epoch.
    """

    def __init__(self) -> None:
        self._slots: dict[str, int] = {}
        self._free: list[int] = []
        self.names: list[str] = []
        capacity = 1024
        self._events = np.zeros(capacity, np.int64)  # events ever; the newest stands at (events - 1) % HISTORY
        self._keys = np.zeros((capacity, HISTORY), np.uint64)
        self._times = np.zeros((capacity, HISTORY), np.int64)
        self._identities = np.zeros((capacity, HISTORY), np.uint64)
        self._kinds = np.zeros((capacity, HISTORY), np.uint8)
        self._values = np.zeros((capacity, HISTORY), np.float32)
        self._attributes = np.zeros((capacity, FEATURES), np.uint32)
        self._n_attributes = np.zeros(capacity, np.uint8)
        self._offsets = np.full((capacity, len(TOPICS)), -1, np.int64)
        self._quota = np.zeros((capacity, 2), np.int64)
        self._silenced = np.zeros(capacity, np.uint64)  # bit i: the event that stands at i did not teach
        self.listed = np.zeros(capacity, np.int64)
        self.shown = np.full((capacity, SHOWN), -1, np.int32)
        self.made = np.zeros(capacity, np.int64)
        self.acted = np.zeros(capacity, np.int64)
        self._present = np.zeros(capacity, np.bool_)
        self._used = np.zeros(capacity, np.int64)
        self._dirty = np.zeros(capacity, np.bool_)
        self._generations = np.zeros(capacity, np.int64)
        self._seen = SeenItems(capacity, self._in_use)

    def __len__(self) -> int:
        """Return the number of resident users."""
        return len(self._slots)

    def __iter__(self) -> Iterator[str]:
        """Iterate over the resident users."""
        return iter(self._slots)

    def missing(self, users: Iterable[str]) -> list[str]:
        """Return those of the users that must be loaded before their events can be applied."""
        return [user for user in dict.fromkeys(users) if user not in self._slots]

    def slot(self, user: str) -> int:
        """Return the slot of a resident user."""
        return self._slots[user]

    def clear(self) -> None:
        """Let all users go; for when they are stored and may change elsewhere."""
        self._slots.clear()
        self.names = [""] * len(self.names)
        self._free = list(range(len(self.names)))
        self._dirty[:] = self._present[:] = False
        self._seen.clear()

    def _take_slot(self, user: str) -> int:
        if self._free:
            slot = self._free.pop()
            self.names[slot] = user
        else:
            slot = len(self.names)
            self.names.append(user)
            if slot == len(self._events):
                self._grow()
        self._slots[user] = slot
        self._present[slot] = True
        return slot

    def _let_go(self, slots: NDArray[np.int64]) -> None:
        for slot in slots.tolist():
            del self._slots[self.names[slot]]
            self.names[slot] = ""
            self._free.append(slot)
        self._dirty[slots] = self._present[slots] = False

    def _wipe(self, slot: int) -> None:
        """Let a user go of whom nothing may remain, not even in a slot that is free."""
        del self._slots[self.names[slot]]
        self.names[slot] = ""
        for name in _COLUMNS:
            getattr(self, name)[slot] = 0
        self._seen.wipe(slot)
        self._free.append(slot)

    def _in_use(self) -> NDArray[np.int64]:
        return np.flatnonzero(self._present)

    def _grow(self) -> None:
        capacity = 2 * len(self._events)
        for name in _COLUMNS:
            setattr(self, name, grown(getattr(self, name), capacity))
        self._seen.grow(capacity)


_COLUMNS = (
    "_events", "_keys", "_times", "_identities", "_kinds", "_values", "_offsets", "_quota", "_silenced",
    "_attributes", "_n_attributes", "_present", "_used", "_dirty", "_generations",
    "listed", "shown", "made", "acted",
)  # fmt: skip
