"""What happens when events are applied to users' states: which count, which are repeats, and what was known before."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.events import NEGATIVE_TYPES, TYPES
from contracts.learning import HISTORY
from models.kernel import kernel
from models.seen import LENGTH, START

TOPICS = ("clicks", "ratings")
"""The topics whose offsets a state contains."""

# What became of an event.
APPLIED, REPEAT, DUPLICATE, CONTAINED = 0, 1, 2, 3

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
        Position in :data:`contracts.events.TYPES`.
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
        ``APPLIED``, ``REPEAT`` (his previous item again: nothing is learned), ``DUPLICATE`` (the same event again) or
        ``CONTAINED`` (read again after a restart).
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
    """

    outcome: NDArray[np.int8]
    novel: NDArray[np.bool_]
    n_seen: NDArray[np.int64]
    lengths: NDArray[np.uint8]
    history: NDArray[np.uint64]
    times: NDArray[np.int64]
    kinds: NDArray[np.uint8]
    values: NDArray[np.float32]


def unobserved(n: int) -> Observed:
    """Return room for what becomes of n events."""
    columns = [np.zeros((n, HISTORY), dtype) for dtype in (np.uint64, np.int64, np.uint8, np.float32)]
    return Observed(
        np.zeros(n, np.int8), np.zeros(n, np.bool_), np.zeros(n, np.int64), np.zeros(n, np.uint8), *columns
    )  # fmt: skip


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
    events, keys, times, identities, kinds, values, offsets, pool, seen,
    outcome, novel, n_seen, lengths, history_keys, history_times, history_kinds, history_values,
):  # fmt: skip
    """Apply events in their order: the columns of :class:`Arrivals`, the table's, and those of :class:`Observed`."""
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
            at = (events[slot] - 1 - k) % HISTORY
            history_keys[e, k] = keys[slot, at]
            history_times[e, k] = times[slot, at]
            history_kinds[e, k] = kinds[slot, at]
            history_values[e, k] = values[slot, at]
        lengths[e] = n
        n_seen[e] = had
        novel[e] = new
        at = events[slot] % HISTORY
        keys[slot, at] = item[e]
        times[slot, at] = time[e]
        identities[slot, at] = identity[e]
        kinds[slot, at] = kind[e]
        values[slot, at] = value[e]
        events[slot] += 1
        if new:
            pool[start + had] = item[e]
            seen[slot, LENGTH] += 1
        outcome[e] = APPLIED
