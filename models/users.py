"""What we know of users: their recent events, all items they have had, and which input these contain.

The table holds the users that are resident in this worker as arrays over slots; a user's stored form is a short byte
string (:meth:`UserTable.encode`). No embedding belongs to a user: his vector follows from his recent events, so it is
never staler than the item model, and deleting the state deletes what was learned of him.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from contracts.learning import HISTORY
from models.arrivals import TAUGHT_PER_HOUR, TAUGHT_PER_ITEM, Arrivals, Observed, apply, unobserved
from models.due import Limits, due
from models.kernel import kernel
from models.picture import Picture, ring_of
from models.seen import LENGTH
from models.slots import Slots
from models.user_state import decode_state


class Rebirth(NamedTuple):
    """How somebody starts who was forgotten: with nothing, and as if his earlier events were contained."""

    generation: int
    """Of the mark; a state of an earlier one is void."""
    offsets: tuple[int, ...]
    """Last offsets before it of the user's partition, in the order of :data:`models.arrivals.TOPICS`; -1 = none."""


class UserTable(Slots):
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
        super().__init__()
        self._resident = resident
        self._per_hour, self._per_item = taught_per_hour or _UNLIMITED, taught_per_item or _UNLIMITED
        self._clock = 0
        self._erased: dict[str, None] = {}  # whose stored states must go

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
        self._wipe(self._slots[user])
        self._erased[user] = None

    def is_stale(self, user: str, rebirth: Rebirth) -> bool:
        """Return whether a user is resident with what was known of him before he was forgotten."""
        slot = self._slots.get(user)
        return slot is not None and int(self._generations[slot]) < rebirth.generation

    def is_blank(self, slot: int) -> bool:
        """Return whether nothing is known of a resident user."""
        return bool(self._events[slot] == 0 and self._n_attributes[slot] == 0 and self._seen.is_empty(slot))

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

        Lists of this ``revision`` are up to date; ``now_ms`` is in the time of :attr:`acted` and :attr:`made`. See
        :func:`models.due.due`.
        """
        here = self._present & ((self._events > 0) | (self._n_attributes > 0))
        return due(here, self.listed < revision, self.acted, self.made, n, now_ms, limits)

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
        super().clear()
        self._erased.clear()

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
