"""The learning log's record: what a batch of events teaches about items, as every worker reads it.

The log is one ordered topic. A worker learns an event only when it reads it there, so the item model is a pure function
of the log. No user id is in it: a rating carries a hash of its user, because a rating model has rows for users.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from contracts.events import TYPES

FORMAT = 3
HISTORY = 50
"""How many of a user's earlier events a lesson carries, newest first."""

TERMS = 128
"""How many terms of an item's content an introduction carries at most."""

ATTRIBUTES = 8
"""How many attributes of an event's user a lesson carries at most."""

_MOST_OFFSETS = 2**62
_MOST_TIME = 2**53  # ms; what JSON carries exactly
_MOST_WEIGHT = 100.0
_MOST_RATING = 1_000_000.0


class UnknownFormat(ValueError):
    """A record of a newer format: a newer version of Headrace wrote it, so this one must not go on."""


class Source(msgspec.Struct, array_like=True, frozen=True):
    """A stretch of one input partition that a record covers.

    The topic's id is part of the name: a topic that was deleted and created again is another source.
    """

    topic: str
    topic_id: str
    partition: int
    first: int  # offset of the first message covered
    last: int  # offset of the last one, dead letters and duplicates included

    @property
    def name(self) -> tuple[str, str, int]:
        """What identifies the partition, without the stretch."""
        return self.topic, self.topic_id, self.partition


class Introduction(msgspec.Struct, array_like=True, frozen=True):
    """An item made known by the ``items`` topic, or known already and with other content now.

    Its content are hashed terms, see :mod:`contracts.terms`: ``hashes`` holds a little-endian uint32 for each,
    ``weights`` one byte, how much it counts. ``digest`` is a hash of what the terms were made from, 0 of nothing.
    """

    item: str
    digest: int = 0
    hashes: bytes = b""
    weights: bytes = b""
    created: int | None = None  # ms since the epoch


class Forgotten(msgspec.Struct, array_like=True, frozen=True):
    """A person who is to be forgotten: his row of the rating model goes.

    The message that asked for it is named, so that a worker that reads it again after a crash does not take away what
    the person has taught since.
    """

    rater: int  # hash of the user
    topic: str
    topic_id: str
    partition: int
    offset: int


@dataclass(slots=True)
class Lessons:
    """What a batch of events teaches: one row per event, in the order in which they were applied.

    Attributes
    ----------
    sources : list of Source
        The input that the batch covers.
    items : list of str
        Distinct ids of the items concerned; the columns refer to them by position.
    introduced : list of Introduction
        Items made known by the ``items`` topic; they get their rows before those of ``items``.
    source : ndarray of uint8, shape (n,)
        Position in ``sources``.
    offset : ndarray of int64, shape (n,)
        Kafka's offset of the event.
    item : ndarray of int32, shape (n,)
        Position in ``items``.
    time : ndarray of int64, shape (n,)
        Event time, ms since the epoch.
    gap : ndarray of int32, shape (n,)
        Seconds since the user's event before, by event time: 0 where there is none, or where it is later than this one.
    kind : ndarray of uint8, shape (n,)
        Position of its type in :data:`contracts.events.TYPES`.
    weight : ndarray of float32, shape (n,)
        How much the event counts as a wish for the item; 0 = not at all, as for dislikes.
    rating : ndarray of float32, shape (n,)
        The rating, NaN where there is none.
    rater : ndarray of uint64, shape (n,)
        Hash of the user where there is a rating, else 0.
    lengths : ndarray of uint8, shape (n,)
        Length of each event's history.
    history : ndarray of uint64, shape (lengths.sum(),)
        Item keys of the user's events before this one, newest first, event after event; 0 for an event that did not
        teach, because its user had taught enough within the hour.
    had : ndarray of int32, shape (n,)
        How many keys in ``seen`` are the event's; -1 = the event is no choice to learn from (see below).
    seen : ndarray of uint64, shape (had[had > 0].sum(),)
        Of every few events that were choices: item keys of all that the user had had before, so that what is learned of
        his choice does not hold these against it.
    value : ndarray of float16, shape (lengths.sum(),)
        What he thought of them: the rating that he gave, NaN where he gave none, -inf where the event was a dislike,
        skip or hide. Kernels are compiled as if neither NaN nor infinity existed: decide here, before them.
    attribute_lengths : ndarray of uint8, shape (n,)
        How many attributes of each event's user are known.
    attributes : ndarray of uint32, shape (attribute_lengths.sum(),)
        Hashes of these attributes, event after event, see :mod:`models.attributes`.
    forgotten : list of Forgotten
        People to be forgotten, before the record's events are learned.
    """

    sources: list[Source]
    items: list[str]
    introduced: list[Introduction]
    source: NDArray[np.uint8]
    offset: NDArray[np.int64]
    item: NDArray[np.int32]
    time: NDArray[np.int64]
    gap: NDArray[np.int32]
    kind: NDArray[np.uint8]
    weight: NDArray[np.float32]
    rating: NDArray[np.float32]
    rater: NDArray[np.uint64]
    lengths: NDArray[np.uint8]
    history: NDArray[np.uint64]
    value: NDArray[np.float16]
    had: NDArray[np.int32]
    seen: NDArray[np.uint64]
    attribute_lengths: NDArray[np.uint8]
    attributes: NDArray[np.uint32]
    forgotten: list[Forgotten] = field(default_factory=list)

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.offset)


class _Record(msgspec.Struct, array_like=True):
    format: int
    sources: list[Source]
    items: list[str]
    introduced: list[Introduction]
    columns: list[bytes]
    forgotten: list[Forgotten] = []  # since format 3


_COLUMNS = (
    ("source", "<u1"),
    ("offset", "<i8"),
    ("item", "<i4"),
    ("time", "<i8"),
    ("weight", "<f4"),
    ("rating", "<f4"),
    ("rater", "<u8"),
    ("lengths", "<u1"),
    ("history", "<u8"),
    ("gap", "<i4"),
    ("kind", "<u1"),
    ("value", "<f2"),
    ("had", "<i4"),
    ("seen", "<u8"),
    ("attribute_lengths", "<u1"),
    ("attributes", "<u4"),
)
_READABLE = (FORMAT - 1, FORMAT)
RAGGED = {"history": "lengths", "value": "lengths", "seen": "had", "attributes": "attribute_lengths"}
"""Columns with a part for each event → the column of its length, where less than 0 means 0."""
BY_EVENT = tuple(name for name, _ in _COLUMNS if name not in RAGGED)
"""Columns with one value for each event."""
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Record)


def introduction(introduced: list[Introduction]) -> Lessons:
    """Return the lesson that these items exist, and nothing else."""
    return Lessons(sources=[], items=[], introduced=introduced, **_no_events())


def oblivion(forgotten: list[Forgotten]) -> Lessons:
    """Return the lesson that these people are to be forgotten, and nothing else."""
    return Lessons(sources=[], items=[], introduced=[], forgotten=forgotten, **_no_events())


def _no_events() -> dict[str, Any]:
    return {name: np.zeros(0, dtype) for name, dtype in _COLUMNS}


def encode_lessons(lessons: Lessons) -> bytes:
    """Encode lessons as MessagePack with little-endian columns; Kafka's own compression makes them small."""
    columns = [np.ascontiguousarray(getattr(lessons, name), dtype).tobytes() for name, dtype in _COLUMNS]
    return _encoder.encode(
        _Record(FORMAT, lessons.sources, lessons.items, lessons.introduced, columns, lessons.forgotten)
    )


def decode_lessons(value: bytes) -> Lessons:
    """Decode :func:`encode_lessons`'s bytes.

    Raises
    ------
    UnknownFormat
        When a newer version wrote the record.
    ValueError
        When the bytes are no record.
    """
    try:
        record = _decoder.decode(value)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not a learning record: {error}") from error
    if record.format not in _READABLE:
        raise UnknownFormat(f"learning record of format {record.format}, this version reads {FORMAT}: upgrade Headrace")
    columns = {
        name: np.frombuffer(column, dtype) for (name, dtype), column in zip(_COLUMNS, record.columns, strict=True)
    }
    lengths = {len(column) for name, column in columns.items() if name not in RAGGED}
    whole = all(
        len(columns[name]) == int(np.maximum(columns[sizes], 0).sum(dtype=np.int64)) for name, sizes in RAGGED.items()
    )
    if len(lengths) != 1 or not whole:
        raise ValueError("not a learning record: its columns differ in length")
    for name, size in (("item", len(record.items)), ("source", len(record.sources))):
        if not ((columns[name] >= 0) & (columns[name] < size)).all():
            raise ValueError(f"not a learning record: its events refer to more than its {size} {name}s")
    _refuse_beyond_bounds(record, columns)
    for each in record.introduced:
        if len(each.hashes) != 4 * len(each.weights) or len(each.weights) > TERMS:
            raise ValueError(f"not a learning record: the content of {each.item[:40]!r} does not fit itself")
    return Lessons(
        sources=record.sources, items=record.items, introduced=record.introduced, forgotten=record.forgotten, **columns
    )


def _refuse_beyond_bounds(record: _Record, columns: Mapping[str, NDArray[Any]]) -> None:
    """Refuse what no worker writes, before it can be folded by half or reach beyond an array."""
    for source in record.sources:
        if not 0 <= source.first <= source.last < _MOST_OFFSETS or source.partition < 0:
            raise ValueError(f"not a learning record: {source} is no stretch of a partition")
    sources = columns["source"]
    first, last = (np.array([getattr(each, end) for each in record.sources], np.int64) for end in ("first", "last"))
    weight, lengths = columns["weight"], columns["lengths"]
    sound = {
        "offset": (first[sources] <= columns["offset"]) & (columns["offset"] <= last[sources]),
        "kind": columns["kind"] < len(TYPES),
        "weight": np.isfinite(weight) & (weight >= 0) & (weight <= _MOST_WEIGHT),
        "gap": columns["gap"] >= 0,
        "lengths": lengths <= HISTORY,
        "attribute_lengths": columns["attribute_lengths"] <= ATTRIBUTES,
        "time": abs(columns["time"]) < _MOST_TIME,
        "rating": ~(abs(columns["rating"]) > _MOST_RATING),
    }
    for name, good in sound.items():
        if not good.all():
            raise ValueError(f"not a learning record: {name} {columns[name][~good][0]} is beyond its bounds")
    for wish in record.forgotten:
        if not 0 <= wish.rater < 2**64 or not 0 <= wish.offset < _MOST_OFFSETS or wish.partition < 0:
            raise ValueError(f"not a learning record: {wish} is beyond its bounds")
    for each in record.introduced:
        if not 0 <= each.digest < 2**64 or not abs(each.created or 0) < _MOST_TIME:
            raise ValueError(f"not a learning record: the content of {each.item[:40]!r} is beyond its bounds")
