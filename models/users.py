"""What we know of users: their recent events, all items they have had, and which input these contain.

The table holds the users that are resident in this worker as arrays over slots; a user's stored form is a short byte
string (:meth:`UserTable.encode`). No embedding belongs to a user: his vector follows from his recent events, so it is
never staler than the item model, and deleting the state deletes what was learned of him.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.learning import HISTORY
from models.kernel import grown, kernel
from models.seen import LENGTH, START, SeenItems
from models.user_state import UserState, decode_state, encode_state

TOPICS = ("clicks", "ratings")
"""The topics whose offsets a state contains."""
SHOWN = 10
"""So many heads of each user's list are remembered, for measuring it."""

# What became of an event.
APPLIED, REPEAT, DUPLICATE, CONTAINED = 0, 1, 2, 3


@dataclass(slots=True)
class Arrivals:
    """Events to be applied, one row each, in order.

    Attributes
    ----------
    slot : ndarray of int32
        The user's slot.
    key, identity : ndarray of uint64
        The item's key; the event's identity within its user's history.
    time : ndarray of int64
        Event time, ms since the epoch.
    kind : ndarray of uint8
        Position in :data:`contracts.events.TYPES`.
    topic : ndarray of int8
        Position in :data:`TOPICS`.
    offset : ndarray of int64
        Kafka's offset, or -1 for an event that did not come through its user's own partition: those are recognised by
        their identity alone.
    """

    slot: NDArray[np.int32]
    key: NDArray[np.uint64]
    identity: NDArray[np.uint64]
    time: NDArray[np.int64]
    kind: NDArray[np.uint8]
    topic: NDArray[np.int8]
    offset: NDArray[np.int64]


@dataclass(slots=True)
class Observed:
    """What became of each event, and what was known of its user just before it.

    Attributes
    ----------
    outcome : ndarray of int8, shape (n,)
        ``APPLIED``, ``REPEAT`` (his previous item again: nothing is learned), ``DUPLICATE`` (the same event again) or
        ``CONTAINED`` (read again after a restart).
    novel : ndarray of bool, shape (n,)
        The item was new to the user.
    n_seen : ndarray of int64, shape (n,)
        How many items he had had before.
    lengths : ndarray of uint8, shape (n,)
        Length of his history before the event.
    history : ndarray of uint64, shape (n, HISTORY)
        Item keys of that history, newest first.
    """

    outcome: NDArray[np.int8]
    novel: NDArray[np.bool_]
    n_seen: NDArray[np.int64]
    lengths: NDArray[np.uint8]
    history: NDArray[np.uint64]


@dataclass(slots=True)
class Picture:
    """What was known of some users at one moment, copied: it may be encoded in another thread, later.

    Attributes
    ----------
    names : list of str
    events, offsets, keys, times, identities, kinds : ndarray
        The table's rows of these users.
    seen, starts, lengths : ndarray
        Their seen items, one list after the other.
    """

    names: list[str]
    events: NDArray[np.int64]
    offsets: NDArray[np.int64]
    keys: NDArray[np.uint64]
    times: NDArray[np.int64]
    identities: NDArray[np.uint64]
    kinds: NDArray[np.uint8]
    seen: NDArray[np.uint64]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]

    def encoded(self) -> list[tuple[str, bytes]]:
        """Return (user, stored form) of each, see :mod:`models.user_state`."""
        return [(name, self._encode(row)) for row, name in enumerate(self.names)]

    def _encode(self, row: int) -> bytes:
        events, start = int(self.events[row]), int(self.starts[row])
        ring = _ring(events)
        clicks, ratings = self.offsets[row].tolist()
        return encode_state(
            UserState(
                events,
                (clicks, ratings),
                self.keys[row, ring],
                self.times[row, ring],
                self.identities[row, ring],
                self.kinds[row, ring],
                self.seen[start : start + int(self.lengths[row])],
            )
        )


class UserTable:
    """The users resident in this worker.

    Parameters
    ----------
    resident : int
        How many users may be resident; changed ones are never evicted before they are stored.
    """

    def __init__(self, resident: int) -> None:
        self._resident = resident
        self._slots: dict[str, int] = {}
        self._free: list[int] = []
        self._clock = 0
        self.names: list[str] = []
        capacity = 1024
        self._events = np.zeros(capacity, np.int64)  # events ever; the newest stands at (events - 1) % HISTORY
        self._keys = np.zeros((capacity, HISTORY), np.uint64)
        self._times = np.zeros((capacity, HISTORY), np.int64)
        self._identities = np.zeros((capacity, HISTORY), np.uint64)
        self._kinds = np.zeros((capacity, HISTORY), np.uint8)
        self._offsets = np.full((capacity, len(TOPICS)), -1, np.int64)
        self.listed = np.zeros(capacity, np.int64)  # revision of the engine that made the user's list; 0 = none yet
        self.shown = np.full((capacity, SHOWN), -1, np.int32)  # rows that head the user's list, for measuring it
        self._used = np.zeros(capacity, np.int64)
        self._dirty = np.zeros(capacity, np.bool_)
        self._seen = SeenItems(capacity, self._in_use)

    def __len__(self) -> int:
        """Return the number of resident users."""
        return len(self._slots)

    def missing(self, users: Iterable[str]) -> list[str]:
        """Return those of the users that must be loaded before their events can be applied."""
        return [user for user in dict.fromkeys(users) if user not in self._slots]

    def admit(self, user: str, state: bytes | None) -> None:
        """Make a user resident, new or with a stored state; a resident user stays as he is.

        Raises
        ------
        CorruptState
            When the bytes cannot be used; the user is not admitted then.
        """
        if user in self._slots:
            return
        known = None if state is None else decode_state(state)
        slot = self._take_slot(user)
        self._events[slot] = 0
        self._offsets[slot] = -1
        self.listed[slot] = 0
        self.shown[slot] = -1
        self._dirty[slot] = False
        self._used[slot] = self._clock
        self._seen.put(slot, _NOTHING if known is None else known.seen)
        if known is not None:
            ring = _ring(known.events)
            self._events[slot] = known.events
            self._keys[slot, ring] = known.keys
            self._times[slot, ring] = known.times
            self._identities[slot, ring] = known.identities
            self._kinds[slot, ring] = known.kinds
            self._offsets[slot] = known.offsets

    def slot(self, user: str) -> int:
        """Return the slot of a resident user."""
        return self._slots[user]

    def apply(self, events: Arrivals) -> Observed:
        """Apply events in their order, and say what became of each."""
        n = len(events.slot)
        self._clock += 1
        self._used[events.slot] = self._clock
        self._dirty[events.slot] = True
        self._seen.reserve(*np.unique(events.slot, return_counts=True))
        observed = Observed(
            np.zeros(n, np.int8),
            np.zeros(n, np.bool_),
            np.zeros(n, np.int64),
            np.zeros(n, np.uint8),
            np.zeros((n, HISTORY), np.uint64),
        )
        _apply(
            events.slot, events.key, events.identity, events.time, events.kind, events.topic, events.offset,
            self._events, self._keys, self._times, self._identities, self._kinds, self._offsets,
            self._seen.pool, self._seen.stretches,
            observed.outcome, observed.novel, observed.n_seen, observed.lengths, observed.history,
        )  # fmt: skip
        return observed

    def recent(self, slots: NDArray[np.int32]) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
        """Return item keys (b, HISTORY), newest first, and their number (b,) for users."""
        history, lengths = np.zeros((len(slots), HISTORY), np.uint64), np.zeros(len(slots), np.uint8)
        _recent(slots, self._events, self._keys, history, lengths)
        return history, lengths

    def seen(
        self, slots: NDArray[np.int32], lengths: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]:
        """Return the keys of all items that users have had: values, starts (b,), lengths (b,).

        ``lengths`` limits each to his first so many: what he had had before a later event.
        """
        counts = self._seen.stretches[slots, LENGTH] if lengths is None else lengths
        values, starts = self._seen.gather(slots, counts)
        return values, starts, counts

    def outdated(self, revision: int, n: int) -> NDArray[np.int32]:
        """Return up to ``n`` resident users whose lists are of an older revision, the oldest first."""
        slots = self._in_use().astype(np.int32)
        slots = slots[(self.listed[slots] < revision) & (self._events[slots] > 0)]
        return slots[np.argsort(self.listed[slots], kind="stable")[:n]]

    def changed(self) -> Picture:
        """Return a picture of all users changed since the last call; :meth:`evict` once they are stored."""
        slots = np.flatnonzero(self._dirty).astype(np.int32)
        self._dirty[slots] = False
        return self._picture(slots)

    def evict(self) -> None:
        """Let the longest unused users go where there are too many; for when what :meth:`changed` gave is durable."""
        surplus = len(self._slots) - self._resident
        if surplus <= 0:
            return
        # A tenth more than needed, so that this does not happen at every barrier.
        surplus += self._resident // 10
        slots = self._in_use()
        slots = slots[~self._dirty[slots]]
        for slot in slots[np.argsort(self._used[slots], kind="stable")[:surplus]]:
            del self._slots[self.names[slot]]
            self.names[slot] = ""
            self._free.append(int(slot))

    def clear(self) -> None:
        """Let all users go; for when they are stored and may change elsewhere."""
        self._slots.clear()
        self._free = list(range(len(self.names)))
        self._dirty[:] = False
        self._seen.clear()

    def encode(self, slot: int) -> bytes:
        """Return a user's stored form, see :mod:`models.user_state`."""
        ((_, state),) = self._picture(np.array([slot], np.int32)).encoded()
        return state

    def history(self, user: str) -> list[tuple[int, int, int]]:
        """Return (item key, time, kind) of a resident user's recent events, oldest first."""
        slot = self._slots[user]
        ring = _ring(int(self._events[slot]))
        columns = (self._keys[slot, ring], self._times[slot, ring], self._kinds[slot, ring])
        return list(zip(*(column.tolist() for column in columns), strict=True))

    def __iter__(self) -> Iterator[str]:
        """Iterate over the resident users."""
        return iter(self._slots)

    def _picture(self, slots: NDArray[np.int32]) -> Picture:
        seen, starts, lengths = self.seen(slots)
        return Picture(
            [self.names[slot] for slot in slots],
            self._events[slots],
            self._offsets[slots],
            self._keys[slots],
            self._times[slots],
            self._identities[slots],
            self._kinds[slots],
            seen,
            starts,
            lengths,
        )

    def _in_use(self) -> NDArray[np.int64]:
        return np.fromiter(self._slots.values(), np.int64, len(self._slots))

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
        return slot

    def _grow(self) -> None:
        capacity = 2 * len(self._events)
        for name in (
            "_events", "_keys", "_times", "_identities", "_kinds", "_offsets", "_used", "_dirty",
            "listed", "shown",
        ):  # fmt: skip
            setattr(self, name, grown(getattr(self, name), capacity))
        self._seen.grow(capacity)


_NOTHING = np.zeros(0, np.uint64)


def _ring(events: int) -> NDArray[np.int64]:
    """Return where the recent ones of so many events stand, oldest first."""
    return np.arange(events - min(events, HISTORY), events) % HISTORY


@kernel
def _apply(
    slots, item, identity, time, kind, topic, offset,
    events, keys, times, identities, kinds, offsets, pool, seen,
    outcome, novel, n_seen, lengths, history,
):  # fmt: skip
    for e in range(len(slots)):
        slot = slots[e]
        if offset[e] >= 0:
            if offset[e] <= offsets[slot, topic[e]]:
                outcome[e] = CONTAINED
                continue
            offsets[slot, topic[e]] = offset[e]
        n = min(events[slot], HISTORY)
        oldest = time[e]
        same = False
        for k in range(n):
            same |= identities[slot, k] == identity[e]
            oldest = min(oldest, times[slot, k])
        start, had = seen[slot, START], seen[slot, LENGTH]
        new = True
        for k in range(start, start + had):
            new &= pool[k] != item[e]
        # As old as all that is remembered, about an item he has had: cannot be told from a message sent again.
        if same or (n == HISTORY and not new and time[e] <= oldest):
            outcome[e] = DUPLICATE
            continue
        newest = (events[slot] - 1) % HISTORY
        if n > 0 and keys[slot, newest] == item[e]:
            outcome[e] = REPEAT
            continue
        for k in range(n):
            history[e, k] = keys[slot, (events[slot] - 1 - k) % HISTORY]
        lengths[e] = n
        n_seen[e] = had
        novel[e] = new
        at = events[slot] % HISTORY
        keys[slot, at] = item[e]
        times[slot, at] = time[e]
        identities[slot, at] = identity[e]
        kinds[slot, at] = kind[e]
        events[slot] += 1
        if new:
            pool[start + had] = item[e]
            seen[slot, LENGTH] += 1
        outcome[e] = APPLIED


@kernel
def _recent(slots, events, keys, history, lengths):
    for position in range(len(slots)):
        slot = slots[position]
        n = min(events[slot], HISTORY)
        for k in range(n):
            history[position, k] = keys[slot, (events[slot] - 1 - k) % HISTORY]
        lengths[position] = n
