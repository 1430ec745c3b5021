"""What we know of users: their recent events, all items they have had, and which input these contain.

The table holds the users that are resident in this worker as arrays over slots; a user's stored form is a short byte
string (:meth:`UserTable.encode`). No embedding belongs to a user: his vector follows from his recent events, so it is
never staler than the item model, and deleting the state deletes what was learned of him.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from contracts.learning import HISTORY
from models.kernel import grown, kernel

FORMAT = 1
MAX_SEEN = 10_000
"""So many items of a user are kept out of his lists exactly; beyond, the oldest tenth is let go."""
TOPICS = ("clicks", "ratings")
"""The topics whose offsets a state contains."""
SHOWN = 10
"""So many heads of each user's list are remembered, for measuring it."""

# What became of an event.
APPLIED, REPEAT, DUPLICATE, CONTAINED = 0, 1, 2, 3

_HEADER = struct.Struct("<BBHIqqI")  # format, length of history, reserved, events, offsets of clicks and ratings, seen
_CHECKSUM = struct.Struct("<I")


class CorruptState(ValueError):
    """Bytes that are not a user state: damaged, or of a newer format."""


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
        # Seen items lie in one pool: a user's stretch is (start, length, room).
        self._pool = np.zeros(65_536, np.uint64)
        self._pool_end = 0
        self._seen = np.zeros((capacity, 3), np.int64)

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
        decoded = None if state is None else _decode(state)
        slot = self._take_slot(user)
        self._events[slot] = 0
        self._offsets[slot] = -1
        self.listed[slot] = 0
        self.shown[slot] = -1
        self._seen[slot] = 0
        self._dirty[slot] = False
        self._used[slot] = self._clock
        if decoded is not None:
            n = len(decoded.keys)
            # Stored oldest first, so that position k is where the ring has it.
            ring = np.arange(decoded.events - n, decoded.events) % HISTORY
            self._events[slot] = decoded.events
            self._keys[slot, ring] = decoded.keys
            self._times[slot, ring] = decoded.times
            self._identities[slot, ring] = decoded.identities
            self._kinds[slot, ring] = decoded.kinds
            self._offsets[slot] = decoded.offsets
            self._reserve(np.array([slot]), np.array([len(decoded.seen)]))
            start = self._seen[slot, 0]
            self._pool[start : start + len(decoded.seen)] = decoded.seen
            self._seen[slot, 1] = len(decoded.seen)

    def slot(self, user: str) -> int:
        """Return the slot of a resident user."""
        return self._slots[user]

    def apply(self, events: Arrivals) -> Observed:
        """Apply events in their order, and say what became of each."""
        n = len(events.slot)
        self._clock += 1
        self._used[events.slot] = self._clock
        self._dirty[events.slot] = True
        self._reserve(*np.unique(events.slot, return_counts=True))
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
            self._pool, self._seen,
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
        counts = self._seen[slots, 1] if lengths is None else lengths
        starts = np.zeros(len(slots), np.int64)
        np.cumsum(counts[:-1], out=starts[1:])
        values = np.empty(int(counts.sum()), np.uint64)
        _gather(self._pool, self._seen[slots, 0], starts, counts, values)
        return values, starts, counts

    def outdated(self, revision: int, n: int) -> NDArray[np.int32]:
        """Return up to ``n`` resident users whose lists are of an older revision, the oldest first."""
        slots = np.fromiter(self._slots.values(), np.int32, len(self._slots))
        slots = slots[(self.listed[slots] < revision) & (self._events[slots] > 0)]
        return slots[np.argsort(self.listed[slots], kind="stable")[:n]]

    def changed(self) -> list[tuple[str, bytes]]:
        """Return (user, stored form) of all users changed since the last call; :meth:`evict` once they are stored."""
        slots = np.flatnonzero(self._dirty)
        self._dirty[slots] = False
        return [(self.names[slot], self.encode(int(slot))) for slot in slots]

    def evict(self) -> None:
        """Let the longest unused users go where there are too many; for when what :meth:`changed` gave is durable."""
        surplus = len(self._slots) - self._resident
        if surplus <= 0:
            return
        # A tenth more than needed, so that this does not happen at every barrier.
        surplus += self._resident // 10
        slots = np.fromiter(self._slots.values(), np.int64, len(self._slots))
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
        self._pool_end = 0

    def encode(self, slot: int) -> bytes:
        """Return a user's stored form: header, history oldest first, seen items, checksum; all little-endian."""
        events = int(self._events[slot])
        n = min(events, HISTORY)
        ring = np.arange(events - n, events) % HISTORY
        start, length, _ = self._seen[slot]
        body = b"".join(
            (
                _HEADER.pack(FORMAT, n, 0, events, *self._offsets[slot].tolist(), length),
                self._keys[slot, ring].tobytes(),
                self._times[slot, ring].tobytes(),
                self._identities[slot, ring].tobytes(),
                self._kinds[slot, ring].tobytes(),
                self._pool[start : start + length].tobytes(),
            )
        )
        return body + _CHECKSUM.pack(xxhash.xxh32_intdigest(body))

    def history(self, user: str) -> list[tuple[int, int, int]]:
        """Return (item key, time, kind) of a resident user's recent events, oldest first."""
        slot = self._slots[user]
        events = int(self._events[slot])
        ring = np.arange(events - min(events, HISTORY), events) % HISTORY
        columns = (self._keys[slot, ring], self._times[slot, ring], self._kinds[slot, ring])
        return list(zip(*(column.tolist() for column in columns), strict=True))

    def __iter__(self) -> Iterator[str]:
        """Iterate over the resident users."""
        return iter(self._slots)

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
            "_events", "_keys", "_times", "_identities", "_kinds", "_offsets", "_used", "_dirty", "_seen",
            "listed", "shown",
        ):  # fmt: skip
            setattr(self, name, grown(getattr(self, name), capacity))

    def _reserve(self, slots: NDArray[np.integer], more: NDArray[np.integer]) -> None:
        """Make sure that so many seen items can be appended to each of the slots, all distinct."""
        _let_go(slots, self._pool, self._seen)
        needed = self._seen[slots, 1] + more
        short = needed > self._seen[slots, 2]
        if not short.any():
            return
        # Twice what is needed now, so that a user moves only as often as his items double.
        rooms = np.maximum(16, 2 * needed[short])
        if self._pool_end + rooms.sum() > len(self._pool):
            self._compact(int(rooms.sum()))
        self._pool_end = _move(slots[short], rooms, self._pool, self._pool_end, self._seen)

    def _compact(self, room: int) -> None:
        slots = np.fromiter(self._slots.values(), np.int64, len(self._slots))
        slots = slots[self._seen[slots, 2] > 0]
        pool = np.zeros(max(65_536, 2 * (int(self._seen[slots, 2].sum()) + room)), np.uint64)
        end = 0
        for slot in slots:
            start, length, size = self._seen[slot]
            pool[end : end + length] = self._pool[start : start + length]
            self._seen[slot, 0] = end
            end += size
        self._pool, self._pool_end = pool, end


@dataclass(slots=True)
class _State:
    events: int
    offsets: tuple[int, int]
    keys: NDArray[np.uint64]
    times: NDArray[np.int64]
    identities: NDArray[np.uint64]
    kinds: NDArray[np.uint8]
    seen: NDArray[np.uint64]


def _decode(state: bytes) -> _State:
    if len(state) < _HEADER.size + _CHECKSUM.size:
        raise CorruptState(f"a user state of {len(state)} bytes")
    format_, n, _, events, clicks, ratings, n_seen = _HEADER.unpack_from(state)
    if format_ != FORMAT:
        raise CorruptState(f"a user state of format {format_}, this version reads {FORMAT}")
    body, checksum = state[: -_CHECKSUM.size], _CHECKSUM.unpack(state[-_CHECKSUM.size :])[0]
    if len(body) != _HEADER.size + n * 25 + n_seen * 8 or xxhash.xxh32_intdigest(body) != checksum:
        raise CorruptState("a user state whose checksum does not fit")
    columns: list[NDArray[Any]] = []
    at = _HEADER.size
    for dtype, length in (("<u8", n), ("<i8", n), ("<u8", n), ("<u1", n), ("<u8", n_seen)):
        columns.append(np.frombuffer(body, dtype, length, at))
        at += columns[-1].nbytes
    return _State(events, (clicks, ratings), *columns)


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
        start, had = seen[slot, 0], seen[slot, 1]
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
            seen[slot, 1] += 1
        outcome[e] = APPLIED


@kernel
def _recent(slots, events, keys, history, lengths):
    for position in range(len(slots)):
        slot = slots[position]
        n = min(events[slot], HISTORY)
        for k in range(n):
            history[position, k] = keys[slot, (events[slot] - 1 - k) % HISTORY]
        lengths[position] = n


@kernel
def _gather(pool, sources, starts, lengths, values):
    for position in range(len(sources)):
        for k in range(lengths[position]):
            values[starts[position] + k] = pool[sources[position] + k]


@kernel
def _let_go(slots, pool, seen):
    for position in range(len(slots)):
        start, length = seen[slots[position], 0], seen[slots[position], 1]
        if length >= MAX_SEEN:
            surplus = length - MAX_SEEN + MAX_SEEN // 10
            for k in range(length - surplus):
                pool[start + k] = pool[start + k + surplus]
            seen[slots[position], 1] = length - surplus


@kernel
def _move(slots, rooms, pool, end, seen):
    for position in range(len(slots)):
        slot = slots[position]
        start, length = seen[slot, 0], seen[slot, 1]
        for k in range(length):
            pool[end + k] = pool[start + k]
        seen[slot, 0] = end
        seen[slot, 2] = rooms[position]
        end += rooms[position]
    return end
