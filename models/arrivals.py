"""What happens when events are applied to users' states: which count, which are repeats, and what was known before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.events import NEGATIVE_TYPES, TYPES
from contracts.learning import HISTORY
from models.kernel import inline, kernel
from models.seen import LENGTH, START

TOPICS = ("clicks", "ratings")
"""The topics whose offsets a state contains."""

# What became of an event.
APPLIED, REPEAT, DUPLICATE, CONTAINED, UNDONE = 0, 1, 2, 3, 4
UNDO = 255
"""The kind of an event that takes back all that its user has done to its item."""

HOUR_MS = 3_600_000
TAUGHT_PER_HOUR = 600
"""So many events of a user teach within an hour; what lies beyond changes his own list only."""
TAUGHT_PER_ITEM = 3
"""So many of them about one item."""
HOUR, COUNT = 0, 1
"""Columns of a user's quota: the hour of his newest event, counted from 1970, and his events in it."""

_NEGATIVE = np.array([name in NEGATIVE_TYPES for name in TYPES])
_LARGEST = float(np.finfo(np.float16).max)


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
        Position in :data:`contracts.events.TYPES`, or :data:`UNDO`.
    value : ndarray of float32
        The rating, NaN where the event is none.
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
    value: NDArray[np.float32]
    topic: NDArray[np.int8]
    offset: NDArray[np.int64]


@dataclass(slots=True)
class Observed:
    """What became of each event, and what was known of its user just before it.

    Attributes
    ----------
    outcome : ndarray of int8, shape (n,)
        ``APPLIED``, ``REPEAT`` (his previous item again: nothing is learned), ``DUPLICATE`` (the same event again),
        ``CONTAINED`` (read again after a restart) or ``UNDONE`` (an item was taken back, if he had it).
    novel : ndarray of bool, shape (n,)
        The item was new to the user.
    n_seen : ndarray of int64, shape (n,)
        How many items he had had before.
    lengths : ndarray of uint8, shape (n,)
        Length of his history before the event.
    history : ndarray of uint64, shape (n, HISTORY)
        Item keys of that history, newest first; beyond its length 0, here and below.
    times : ndarray of int64, shape (n, HISTORY)
        Its event times, ms since the epoch.
    kinds : ndarray of uint8, shape (n, HISTORY)
        Its types, positions in :data:`contracts.events.TYPES`.
    values : ndarray of float32, shape (n, HISTORY)
        Its ratings, NaN where an event was none.
    taught : ndarray of bool, shape (n,)
        The event was applied and teaches: it lies within what its user may teach in an hour.
    silent : ndarray of uint64, shape (n,)
        Bit k: entry k of the history did not teach.
    """

    outcome: NDArray[np.int8]
    novel: NDArray[np.bool_]
    n_seen: NDArray[np.int64]
    lengths: NDArray[np.uint8]
    history: NDArray[np.uint64]
    times: NDArray[np.int64]
    kinds: NDArray[np.uint8]
    values: NDArray[np.float32]
    taught: NDArray[np.bool_]
    silent: NDArray[np.uint64]

    def heard(self) -> NDArray[np.bool_]:
        """Return which entries of the histories taught, shape (n, HISTORY): the others are no context for learning."""
        bits = self.silent[:, None] >> np.arange(HISTORY, dtype=np.uint64)
        return np.asarray(bits & np.uint64(1) == 0)


def unobserved(n: int) -> Observed:
    """Return room for what becomes of n events."""
    return Observed(
        outcome=np.zeros(n, np.int8),
        novel=np.zeros(n, np.bool_),
        n_seen=np.zeros(n, np.int64),
        lengths=np.zeros(n, np.uint8),
        history=np.zeros((n, HISTORY), np.uint64),
        times=np.zeros((n, HISTORY), np.int64),
        kinds=np.zeros((n, HISTORY), np.uint8),
        values=np.zeros((n, HISTORY), np.float32),
        taught=np.zeros(n, np.bool_),
        silent=np.zeros(n, np.uint64),
    )


def opinions(kinds: NDArray[np.uint8], values: NDArray[np.float32]) -> NDArray[np.float16]:
    """Return what users thought of items, in the form in which lessons carry it, see :class:`Lessons`.

    Parameters
    ----------
    kinds : ndarray
        Positions in :data:`contracts.events.TYPES`.
    values : ndarray of the same shape
        Ratings, NaN where there is none.

    Returns
    -------
    ndarray of float16
        The rating, NaN where there is none, -inf where the event was a dislike, skip or hide.
    """
    held = np.clip(values, -_LARGEST, _LARGEST).astype(np.float16)
    held[_NEGATIVE[kinds]] = -np.inf
    return held


@kernel
def apply(
    slots, item, identity, time, kind, value, topic, offset,
    events, keys, times, identities, kinds, values, offsets, silenced, quota, pool, seen, per_hour, per_item,
    outcome, novel, n_seen, lengths, history_keys, history_times, history_kinds, history_values, taught, silent,
):  # fmt: skip
    """Apply events in their order: the columns of :class:`Arrivals`, the table's, and those of :class:`Observed`.

    An event teaches if it is one of the first ``per_hour`` of its user's hour, and if fewer than ``per_item`` of his
    recent events in that hour were about the same item. A late event counts to the newest hour.
    """
    for e in range(len(slots)):
        slot = slots[e]
        if offset[e] >= 0:
            if offset[e] <= offsets[slot, topic[e]]:
                outcome[e] = CONTAINED
                continue
            offsets[slot, topic[e]] = offset[e]
        if kind[e] == UNDO:
            _undo(slot, item[e], events, keys, times, identities, kinds, values, silenced, pool, seen)
            outcome[e] = UNDONE
            continue
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
        hour = time[e] // HOUR_MS
        about = 0
        for k in range(n):
            at = (events[slot] - 1 - k) % HISTORY
            about += keys[slot, at] == item[e] and times[slot, at] // HOUR_MS == hour
            silent[e] |= ((silenced[slot] >> np.uint64(at)) & np.uint64(1)) << np.uint64(k)
            history_keys[e, k] = keys[slot, at]
            history_times[e, k] = times[slot, at]
            history_kinds[e, k] = kinds[slot, at]
            history_values[e, k] = values[slot, at]
        lengths[e] = n
        n_seen[e] = had
        novel[e] = new
        if hour > quota[slot, HOUR]:
            quota[slot, HOUR] = hour
            quota[slot, COUNT] = 0
        taught[e] = quota[slot, COUNT] < per_hour and about < per_item
        quota[slot, COUNT] += 1
        at = events[slot] % HISTORY
        keys[slot, at] = item[e]
        times[slot, at] = time[e]
        identities[slot, at] = identity[e]
        kinds[slot, at] = kind[e]
        values[slot, at] = value[e]
        bit = np.uint64(1) << np.uint64(at)
        silenced[slot] = silenced[slot] & ~bit if taught[e] else silenced[slot] | bit
        events[slot] += 1
        if new:
            pool[start + had] = item[e]
            seen[slot, LENGTH] += 1
        outcome[e] = APPLIED


@inline
def _undo(slot, item, events, keys, times, identities, kinds, values, silenced, pool, seen):
    """Take an item out of what a user has had, as if he had never done anything to it.

    What remains of his recent events moves together; of those before them nothing comes back.
    """
    n = min(events[slot], HISTORY)
    kept = np.empty(HISTORY, np.int64)  # where the events to be kept stand, oldest first
    m = 0
    for k in range(n):
        at = (events[slot] - n + k) % HISTORY
        if keys[slot, at] != item:
            kept[m] = at
            m += 1
    if m < n:
        keys[slot, :m] = keys[slot][kept[:m]]
        times[slot, :m] = times[slot][kept[:m]]
        identities[slot, :m] = identities[slot][kept[:m]]
        kinds[slot, :m] = kinds[slot][kept[:m]]
        values[slot, :m] = values[slot][kept[:m]]
        bits = np.uint64(0)
        for k in range(m):
            bits |= ((silenced[slot] >> np.uint64(kept[k])) & np.uint64(1)) << np.uint64(k)
        silenced[slot] = bits
        events[slot] = m
    start, had = seen[slot, START], seen[slot, LENGTH]
    m = 0
    for k in range(start, start + had):
        if pool[k] != item:
            pool[start + m] = pool[k]
            m += 1
    seen[slot, LENGTH] = m
