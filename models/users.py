"""What we know of users: their recent events, all items they have had, and which input these contain.

The table holds the users that are resident in this worker as arrays over slots; a user's stored form is a short byte
string (:meth:`UserTable.encode`). No embedding belongs to a user: his vector follows from his recent events, so it is
never staler than the item model, and deleting the state deletes what was learned of him.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from contracts.learning import HISTORY
from models.arrivals import TAUGHT_PER_HOUR, TAUGHT_PER_ITEM, TOPICS, Arrivals, Observed, apply, unobserved
from models.attributes import FEATURES
from models.kernel import grown, kernel
from models.picture import Picture, ring_of
from models.seen import LENGTH, SeenItems
from models.user_state import decode_state

SHOWN = 10
"""So many heads of each user's list are remembered, for measuring it."""


# A list is old enough to be made anew when its age is this part of the time for which its user has been silent: about
# five times while that time doubles.
_PATIENCE = 8


class Limits(NamedTuple):
    """How long silent users are thought of, in ms."""

    turns_ms: tuple[int, ...]
    """After each of these a list is made differently, see :data:`models.combine.CONTEXTS`."""
    gone_ms: int
    """After so long a user is gone."""


class Rebirth(NamedTuple):
    """How somebody starts who was forgotten: with nothing, and as if his earlier events were contained."""

    generation: int
    """Of the mark; a state of an earlier one is void."""
    offsets: tuple[int, ...]
    """Last offsets before it of the user's partition, in the order of :data:`models.arrivals.TOPICS`; -1 = none."""


class UserTable:
    """The users resident in this worker.

    Parameters
    ----------
    resident : int
        How many users may be resident; changed ones are never evicted before they are stored.
    taught_per_hour, taught_per_item : int
        How many events of a user teach within an hour, in all and about one item; 0 = no limit.
    """

    def __init__(
        self, resident: int, taught_per_hour: int = TAUGHT_PER_HOUR, taught_per_item: int = TAUGHT_PER_ITEM
    ) -> None:
        self._resident = resident
        self._per_hour, self._per_item = taught_per_hour or _UNLIMITED, taught_per_item or _UNLIMITED
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
        self._values = np.zeros((capacity, HISTORY), np.float32)
        self._attributes = np.zeros((capacity, FEATURES), np.uint32)
        self._n_attributes = np.zeros(capacity, np.uint8)
        self._offsets = np.full((capacity, len(TOPICS)), -1, np.int64)
        self._quota = np.zeros((capacity, 2), np.int64)
        self._silenced = np.zeros(capacity, np.uint64)  # bit i: the event that stands at i did not teach
        self.listed = np.zeros(capacity, np.int64)  # revision of the engine that made the user's list; 0 = none yet
        self.shown = np.full((capacity, SHOWN), -1, np.int32)  # rows that head the user's list, for measuring it
        self.made = np.zeros(capacity, np.int64)  # when that was, ms since the epoch
        self.acted = np.zeros(capacity, np.int64)  # when this worker last heard of the user, ms since the epoch
        self._present = np.zeros(capacity, np.bool_)
        self._used = np.zeros(capacity, np.int64)
        self._dirty = np.zeros(capacity, np.bool_)
        self._generations = np.zeros(capacity, np.int64)
        self._seen = SeenItems(capacity, self._in_use)
        self._erased: dict[str, None] = {}  # whose stored states must go

    def __len__(self) -> int:
        """Return the number of resident users."""
        return len(self._slots)

    def missing(self, users: Iterable[str]) -> list[str]:
        """Return those of the users that must be loaded before their events can be applied."""
        return [user for user in dict.fromkeys(users) if user not in self._slots]

    def admit(self, user: str, state: bytes | None, rebirth: Rebirth | None = None) -> None:
        """Make a user resident, new or with a stored state; a resident user stays as he is.

        Who was forgotten (``rebirth``) starts anew, unless the state is of the time after.

        Raises
        ------
        CorruptState
            When the bytes cannot be used; the user is not admitted then.
        """
        if user in self._slots:
            return
        known = None if state is None else decode_state(state)
        if rebirth and known and known.generation < rebirth.generation:
            known = None
        slot = self._take_slot(user)
        self._events[slot] = 0
        self._offsets[slot] = rebirth.offsets if rebirth else -1
        self._generations[slot] = rebirth.generation if rebirth else 0
        self._quota[slot] = 0
        self._silenced[slot] = 0
        self._n_attributes[slot] = 0
        self.listed[slot] = self.made[slot] = self.acted[slot] = 0
        self.shown[slot] = -1
        self._dirty[slot] = False
        self._used[slot] = self._clock
        self._seen.put(slot, _NOTHING if known is None else known.seen)
        if known is not None:
            ring = ring_of(known.events)
            self._events[slot] = known.events
            self._keys[slot, ring] = known.keys
            self._times[slot, ring] = known.times
            self._identities[slot, ring] = known.identities
            self._kinds[slot, ring] = known.kinds
            self._values[slot, ring] = known.values
            self._offsets[slot] = known.offsets
            self._quota[slot] = known.quota
            self._silenced[slot] = known.silenced
            self._generations[slot] = known.generation
            self._keep_attributes(slot, known.attributes)

    def erase(self, user: str) -> None:
        """Forget a resident user: nothing of him remains here, and his stored state is to go, see :meth:`changed`."""
        slot = self._slots.pop(user)
        self.names[slot] = ""
        for column in self._columns():
            column[slot] = 0
        self._seen.wipe(slot)
        self._free.append(slot)
        self._erased[user] = None

    def is_stale(self, user: str, rebirth: Rebirth) -> bool:
        """Return whether a user is resident with what was known of him before he was forgotten."""
        slot = self._slots.get(user)
        return slot is not None and int(self._generations[slot]) < rebirth.generation

    def is_blank(self, slot: int) -> bool:
        """Return whether nothing is known of a resident user."""
        return bool(self._events[slot] == 0 and self._n_attributes[slot] == 0 and self._seen.is_empty(slot))

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
        observed = unobserved(n)
        apply(
            events.slot, events.key, events.identity, events.time, events.kind, events.value, events.topic,
            events.offset,
            self._events, self._keys, self._times, self._identities, self._kinds, self._values, self._offsets,
            self._silenced, self._quota, self._seen.pool, self._seen.stretches, self._per_hour, self._per_item,
            observed.outcome, observed.novel, observed.n_seen, observed.lengths,
            observed.history, observed.times, observed.kinds, observed.values, observed.taught, observed.silent,
        )  # fmt: skip
        return observed

    def describe(self, slot: int, attributes: NDArray[np.uint32]) -> None:
        """Take over what is known of a resident user beside his events: at most ``FEATURES`` hashes."""
        self._clock += 1
        self._used[slot] = self._clock
        self._dirty[slot] = True
        self._keep_attributes(slot, attributes)

    def attributes(self, slots: NDArray[np.int32]) -> tuple[NDArray[np.uint32], NDArray[np.uint8]]:
        """Return hashes of users' attributes (b, FEATURES), and how many each has (b,)."""
        return self._attributes[slots], self._n_attributes[slots]

    def active(self, slots: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return which users have events."""
        return np.asarray(self._events[slots] > 0)

    def recent(self, slots: NDArray[np.int32]) -> tuple[NDArray[np.uint64], NDArray[np.uint8]]:
        """Return item keys (b, HISTORY), newest first, and their number (b,) for users."""
        history, lengths = np.zeros((len(slots), HISTORY), np.uint64), np.zeros(len(slots), np.uint8)
        _recent(slots, self._events, self._keys, history, lengths)
        return history, lengths

    def details(self, slots: NDArray[np.int32]) -> tuple[NDArray[np.int64], NDArray[np.uint8], NDArray[np.float32]]:
        """Return times, kinds and values, each (b, HISTORY), of what :meth:`recent` returns; 0 where there is none."""
        n = np.minimum(self._events[slots], HISTORY)[:, None]
        at = (self._events[slots][:, None] - 1 - np.arange(HISTORY)) % HISTORY
        held = np.arange(HISTORY) < n
        columns = (self._times, self._kinds, self._values)
        times, kinds, values = (np.where(held, column[slots[:, None], at], 0) for column in columns)
        return times, kinds.astype(np.uint8), values.astype(np.float32)

    def present(self, slots: NDArray[np.int32], now_ms: int) -> NDArray[np.int64]:
        """Return the present by the clock of each user's events: the newest of them, and then as long as he is silent.

        ``now_ms`` is in the time of :attr:`acted`. So somebody whose events of years ago are replayed now is here now.
        """
        newest = (self._events[slots] - 1) % HISTORY
        return np.asarray(self._times[slots, newest] + np.maximum(0, now_ms - self.acted[slots]))

    def seen(
        self, slots: NDArray[np.int32], lengths: NDArray[np.int64] | None = None
    ) -> tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]:
        """Return the keys of all items that users have had: values, starts (b,), lengths (b,).

        ``lengths`` limits each to his first so many: what he had had before a later event.
        """
        counts = self._seen.stretches[slots, LENGTH] if lengths is None else lengths
        values, starts = self._seen.gather(slots, counts)
        return values, starts, counts

    def due(self, revision: int, n: int, now_ms: int, limits: Limits) -> NDArray[np.int32]:
        """Return up to ``n`` resident users whose lists should be made anew though they do nothing, the most due first.

        First those who have fallen silent for so long that their next visit will be of another kind, once each. Then
        those whose lists are of an older revision and old for how long the user has been silent: who was here a minute
        ago is served before who was here yesterday, and the longer somebody is away, the less he costs.

        Parameters
        ----------
        revision : int
            Lists of this one are up to date.
        now_ms : int
            In the time of :attr:`acted` and :attr:`made`.
        """
        silent, age = now_ms - self.acted, now_ms - self.made
        here = self._present & (silent < limits.gone_ms)
        left = np.zeros(len(here), np.bool_)
        for turn in limits.turns_ms:
            left |= here & (silent > turn) & (self.made - self.acted <= turn)
        old = here & (self.listed < revision) & (age * _PATIENCE >= silent)
        slots = np.flatnonzero((left | old) & ((self._events > 0) | (self._n_attributes > 0)))
        urgency = np.where(left[slots], np.inf, age[slots] / (1000.0 + np.maximum(silent[slots], 0)))
        if len(slots) > n:
            most = np.argpartition(-urgency, n)[:n]
            slots, urgency = slots[most], urgency[most]
        return slots[np.argsort(-urgency, kind="stable")].astype(np.int32)

    def changed(self) -> Picture:
        """Return a picture of all users changed since the last call; :meth:`evict` once they are stored."""
        slots = np.flatnonzero(self._dirty).astype(np.int32)
        self._dirty[slots] = False
        erased, self._erased = list(self._erased), {}
        return self._picture(slots, erased)

    def evict(self) -> None:
        """Let the longest unused users go where there are too many; for when what :meth:`changed` gave is durable."""
        surplus = len(self._slots) - self._resident
        if surplus <= 0:
            return
        # A tenth more than needed, so that this does not happen at every barrier.
        surplus += self._resident // 10
        slots = self._in_use()
        slots = slots[~self._dirty[slots]]
        self._let_go(slots[np.argsort(self._used[slots], kind="stable")[:surplus]])

    def forget(self, users: Iterable[str]) -> None:
        """Let some users go, stored or not; for when they belong to another worker.

        Who was erased is the other's to remove as well.
        """
        users = list(users)
        for user in users:
            self._erased.pop(user, None)
        self._let_go(np.array([self._slots[user] for user in users if user in self._slots], np.int64))

    def erased(self) -> list[str]:
        """Return who was erased and whose stored state may still be there."""
        return list(self._erased)

    def clear(self) -> None:
        """Let all users go; for when they are stored and may change elsewhere."""
        self._slots.clear()
        self._erased.clear()
        self.names = [""] * len(self.names)
        self._free = list(range(len(self.names)))
        self._dirty[:] = self._present[:] = False
        self._seen.clear()

    def encode(self, slot: int) -> bytes:
        """Return a user's stored form, see :mod:`models.user_state`."""
        ((_, state),) = self._picture(np.array([slot], np.int32)).encoded()
        return state

    def history(self, user: str) -> list[tuple[int, int, int]]:
        """Return (item key, time, kind) of a resident user's recent events, oldest first."""
        slot = self._slots[user]
        ring = ring_of(int(self._events[slot]))
        columns = (self._keys[slot, ring], self._times[slot, ring], self._kinds[slot, ring])
        return list(zip(*(column.tolist() for column in columns), strict=True))

    def __iter__(self) -> Iterator[str]:
        """Iterate over the resident users."""
        return iter(self._slots)

    def _let_go(self, slots: NDArray[np.int64]) -> None:
        for slot in slots.tolist():
            del self._slots[self.names[slot]]
            self.names[slot] = ""
            self._free.append(slot)
        self._dirty[slots] = self._present[slots] = False

    def _picture(self, slots: NDArray[np.int32], erased: list[str] | None = None) -> Picture:
        seen, starts, lengths = self.seen(slots)
        return Picture(
            [self.names[slot] for slot in slots],
            self._events[slots],
            self._offsets[slots],
            self._quota[slots],
            self._silenced[slots],
            self._keys[slots],
            self._times[slots],
            self._identities[slots],
            self._kinds[slots],
            self._values[slots],
            self._attributes[slots],
            self._n_attributes[slots],
            seen,
            starts,
            lengths,
            self._generations[slots],
            erased or [],
        )

    def _keep_attributes(self, slot: int, attributes: NDArray[np.uint32]) -> None:
        self._attributes[slot, : len(attributes)] = attributes
        self._n_attributes[slot] = len(attributes)

    def _columns(self) -> Iterator[NDArray[Any]]:
        return (getattr(self, name) for name in _COLUMNS)

    def _in_use(self) -> NDArray[np.int64]:
        return np.flatnonzero(self._present)

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
_NOTHING = np.zeros(0, np.uint64)
_UNLIMITED = np.iinfo(np.int64).max


@kernel
def _recent(slots, events, keys, history, lengths):
    for position in range(len(slots)):
        slot = slots[position]
        n = min(events[slot], HISTORY)
        for k in range(n):
            history[position, k] = keys[slot, (events[slot] - 1 - k) % HISTORY]
        lengths[position] = n
