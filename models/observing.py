"""From events to lessons: the half of the engine that changes what we know of users.

A batch is applied to its users' states, event by event, and what it teaches is written down as it was at each event:
the user's items before it, what he thought of them, the pause before it. Lessons say nothing of the item model, so that
they are the same whatever has been learned meanwhile.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.events import NEGATIVE_TYPES, TYPES, UNDO, Click, Rating, identity, item_key
from contracts.learning import HISTORY, Lessons, Source
from models import arrivals as arriving
from models.arrivals import APPLIED, TOPICS, Arrivals, Observed, opinions
from models.attributes import FEATURES
from models.combiner import teaches
from models.profiles import contexts, pause
from models.ratings import rater
from models.users import UserTable

_KINDS = {name: position for position, name in enumerate(TYPES)} | {UNDO: arriving.UNDO}
WEIGHTS: Mapping[str, float] = {name: 0.0 if name in NEGATIVE_TYPES else 1.0 for name in TYPES}
"""How much each type of event counts as a wish for its item, unless the settings say otherwise."""
_HAD = 1000  # of what a user has had, so much goes into a lesson; the log must not grow with the zeal of a few


@dataclass(slots=True)
class Batch:
    """Decoded events in the order in which they are to be applied.

    Attributes
    ----------
    events : sequence of Click or Rating
        Valid ones only; their users are resident.
    source : sequence of int
        Position of each in ``sources``.
    offset : sequence of int
        Kafka's offset of each.
    own : sequence of bool
        Whether it came through its user's own partition.
    sources : list of Source
        The stretches of input that the batch covers.
    number : sequence of int or None
        What decides which choices teach the blend: where each stands in a stream that was merged; None = the offsets.
    """

    events: Sequence[Click | Rating]
    source: Sequence[int]
    offset: Sequence[int]
    own: Sequence[bool]
    sources: list[Source]
    number: Sequence[int] | None = None


@dataclass(slots=True)
class Observation:
    """What a batch was.

    Attributes
    ----------
    slots : ndarray of int32, shape (n,)
        The users' slots, event by event.
    observed : Observed
        What became of each event.
    keys : ndarray of uint64, shape (n,)
        The items' keys.
    weight : ndarray of float32, shape (n,)
        How much each counts as a wish for its item.
    gaps : ndarray of int64, shape (n,)
        Seconds since the user's event before, 0 where there is none or it is later.
    lessons : Lessons
        What they teach, for the learning log.
    """

    slots: NDArray[np.int32]
    observed: Observed
    keys: NDArray[np.uint64]
    weight: NDArray[np.float32]
    gaps: NDArray[np.int64]
    lessons: Lessons


def observe(batch: Batch, users: UserTable, weights: Mapping[str, float], allow_repeats: bool) -> Observation:
    """Apply events to their users' states, in order; say what became of each and what they teach.

    Parameters
    ----------
    batch : Batch
    users : UserTable
        Changed.
    weights : mapping of str to float
        Event type → how much it counts as a wish.
    allow_repeats : bool
        Whether items that a user has had may be recommended to him again: then they are choices to learn from.
    """
    events = batch.events
    n = len(events)
    keys = np.fromiter((item_key(event.item) for event in events), np.uint64, n)
    names = [event.type if type(event) is Click else "rating" for event in events]
    slots = np.fromiter((users.slot(event.user) for event in events), np.int32, n)
    own, offset = np.array(batch.own, np.bool_), np.array(batch.offset, np.int64)
    arrivals = Arrivals(
        slot=slots,
        key=keys,
        identity=np.fromiter((identity(event) for event in events), np.uint64, n),
        time=np.fromiter((event.time for event in events), np.int64, n),
        kind=np.fromiter((_KINDS[name] for name in names), np.uint8, n),
        value=np.fromiter((event.rating if type(event) is Rating else np.nan for event in events), np.float32, n),
        topic=np.fromiter((TOPICS.index("clicks" if type(e) is Click else "ratings") for e in events), np.int8, n),
        offset=np.where(own, offset, -1),
    )
    observed = users.apply(arrivals)
    weight = np.fromiter((weights[name] for name in names), np.float32, n)
    gaps = pause(arrivals.time - observed.times[:, 0], observed.lengths)
    lessons = _lessons(batch, arrivals, observed, weight, gaps, users, allow_repeats)
    return Observation(slots, observed, keys, weight, gaps, lessons)


def _lessons(
    batch: Batch,
    arrivals: Arrivals,
    observed: Observed,
    weight: NDArray[np.float32],
    gaps: NDArray[np.int64],
    users: UserTable,
    allow_repeats: bool,
) -> Lessons:
    taught = np.flatnonzero(observed.taught)
    events = [batch.events[index] for index in taught.tolist()]
    # Items of events that do not teach too: what stands in a history has a row, wherever batches are cut.
    applied = np.flatnonzero(observed.outcome == APPLIED)
    items = list(dict.fromkeys(batch.events[index].item for index in applied.tolist()))
    position = {item: index for index, item in enumerate(items)}
    lengths = observed.lengths[taught]
    held = np.arange(HISTORY) < lengths[:, None]
    offsets = np.fromiter((batch.offset[index] for index in taught.tolist()), np.int64, len(taught))
    choice = (lengths > 0) & (weight[taught] > 0) & (observed.novel[taught] | allow_repeats)
    numbers = offsets if batch.number is None else np.asarray(batch.number, np.int64)[taught]
    choice &= teaches(numbers, contexts(gaps[taught], lengths))
    seen, counts = _had(users, arrivals.slot[taught[choice]], observed.n_seen[taught[choice]])
    had = np.full(len(taught), -1, np.int32)
    had[choice] = counts
    # Nor may what did not teach come into the model as the context of what does.
    heard = observed.heard()[taught][held]
    opinion = opinions(observed.kinds[taught][held], observed.values[taught][held])
    attributes, n_attributes = users.attributes(arrivals.slot[taught])
    return Lessons(
        sources=batch.sources,
        items=items,
        introduced=[],
        source=np.fromiter((batch.source[index] for index in taught.tolist()), np.uint8, len(taught)),
        offset=offsets,
        item=np.fromiter((position[event.item] for event in events), np.int32, len(taught)),
        time=arrivals.time[taught],
        gap=gaps[taught].astype(np.int32),
        kind=arrivals.kind[taught],
        weight=weight[taught],
        rating=arrivals.value[taught],
        rater=np.array([rater(e.user) if type(e) is Rating else 0 for e in events], np.uint64),
        lengths=lengths,
        history=np.where(heard, observed.history[taught][held], 0),
        value=np.where(heard, opinion, np.float16(np.nan)),
        had=had,
        seen=seen,
        attribute_lengths=n_attributes,
        attributes=attributes[np.arange(FEATURES) < n_attributes[:, None]],
    )


def _had(
    users: UserTable, slots: NDArray[np.int32], n_seen: NDArray[np.int64]
) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
    """Return the keys of what users had had when it was so much, the last ones of more, and how many for each."""
    keys, starts, counts = users.seen(slots, n_seen)
    kept = np.minimum(counts, _HAD)
    last = np.arange(len(keys)) - np.repeat(starts, counts) >= np.repeat(counts - kept, counts)
    return keys[last], kept
