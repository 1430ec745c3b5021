"""What the live page shows: how the workers do, what a user has done, what goes with an item.

All of it stands in Redis, written by the workers; nothing is computed here but cosines of published vectors.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from contracts.redis import BEAT_MS, BEATS, Keys, name_field
from contracts.topics import partition_of
from serving.reading.reader import SCAN_STEP, Reader
from serving.reading.readiness import SILENCE_MS
from serving.reading.values import ItemList, decode

log = logging.getLogger(__name__)

EVENTS = 20
"""Of a user, the newest."""
NEIGHBOURS = 12
_SCANS = 5  # steps in which some users are looked for: enough for a few, and cheap however many there are
_REPORTED = (
    "worker", "time", "started", "ready", "numbers", "lag", "events_applied", "dead_letters", "resident_users",
    "resident_mb", "barrier_age_ms", "log_position",
)  # fmt: skip


class Remembered(NamedTuple):
    """An event as a user's state remembers it."""

    key: int  # of its item
    time: int  # ms since the epoch
    type: str
    rating: float | None


History = Callable[[bytes], Sequence[Remembered]]
"""Reads a user's stored state: his events, oldest first; raises ValueError where it is damaged."""


@dataclass(frozen=True, slots=True)
class Overview:
    """How a namespace does."""

    namespace: str
    previous: str | None  # the namespace that readers used before
    time: int  # of the service's clock, ms since the epoch
    written: int | None  # when a worker last said something: what is read is as old as that; null = never
    workers: list[dict[str, Any]] = field(default_factory=list)  # see ``streams.watching.status``
    items: int = 0
    scorers: dict[str, Any] = field(default_factory=dict)  # live hit rate, alarms and weights by context
    pulse: list[dict[str, Any]] = field(default_factory=list)  # see ``streams.watching.pulse``, oldest first


@dataclass(frozen=True, slots=True)
class Event:
    """What a user did."""

    item: str | None  # null where the item has left the model
    title: str | None
    type: str
    time: int  # ms since the epoch
    rating: float | None = None


@dataclass(frozen=True, slots=True)
class Visitor:
    """What is known of a user."""

    user: str
    events: list[Event]  # newest first


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An item that goes with another."""

    item: str
    title: str | None
    score: float
    after: float | None  # how often people had it within ten items after the other; the k-th counts 1/k
    before: float | None
    cosine: float | None  # of the two embeddings: how alike the tastes are that they suit


@dataclass(frozen=True, slots=True)
class Portrait:
    """An item and what goes with it."""

    item: str
    known: bool  # whether anything is known of it
    title: str | None = None
    categories: list[str] = field(default_factory=list)
    withheld: bool = False
    neighbours: list[Neighbour] = field(default_factory=list)


async def overview(reader: Reader, now: int, since: int) -> Overview:
    """Return how the namespace does, with the beats of its pulse after ``since``; times in ms since the epoch."""
    keys = await reader.namespace()
    said, beats, previous = await asyncio.gather(
        reader.asked(("HGETALL", keys.workers)),
        reader.asked(("LRANGE", keys.pulse, -_beats(now - since), -1)),
        reader.asked(("GET", keys.previous)),
    )
    reports = sorted(_decoded(keys.workers, said.values(), "ready"), key=lambda report: -report["time"])
    speaking = [report for report in reports if report["ready"] and now - report["time"] <= SILENCE_MS]
    model = (speaking or reports or [{}])[0]
    written = max((report["time"] for report in reports), default=None)
    return Overview(
        namespace=keys.namespace,
        previous=previous.decode(errors="replace") if previous else None,
        time=now,
        written=written,
        workers=[{name: report.get(name) for name in _REPORTED} for report in reports],
        items=model.get("items", 0),
        scorers=model.get("scorers", {}),
        pulse=[beat for beat in _decoded(keys.pulse, beats) if beat["time"] > since],
    )


def _decoded(key: str, values: Iterable[bytes], *needed: str) -> list[dict[str, Any]]:
    """Decode values that say when they were written; one that is broken is logged and left out."""
    found = []
    for value in values:
        try:
            told = msgspec.json.decode(value, type=dict[str, Any])
            if not isinstance(told["time"], int) or not all(name in told for name in needed):
                raise KeyError("time")
            found.append(told)
        except (msgspec.DecodeError, UnicodeDecodeError, KeyError) as error:
            log.warning("ignored a value of %s, which is not what the contract says: %s", key, error)
    return found


def _beats(ms: int) -> int:
    """Return how many beats there may be within a time, some more because clocks differ."""
    return min(BEATS, max(0, ms) // BEAT_MS + 5)


async def some_users(reader: Reader, n: int) -> list[str]:
    """Return up to ``n`` users who have a list, none in particular."""
    keys = await reader.namespace()
    head = keys.top("").removesuffix("}")
    found: list[str] = []
    cursor = b"0"
    for _ in range(_SCANS):
        cursor, some = await reader.asked(("SCAN", cursor, "MATCH", f"{head}*", "COUNT", SCAN_STEP))
        found += [keys.user_of(name.decode()) for name in some]
        if cursor == b"0" or len(found) >= n:
            break
    return sorted(found)[:: max(1, len(found) // n)][:n]


async def visitor(reader: Reader, user: str, history: History, most: int = EVENTS) -> Visitor:
    """Return what a user has done lately, up to the last barrier; ``most`` events."""
    keys = await reader.namespace()
    partitions = await reader.asked(("GET", keys.partitions))
    if partitions is None:
        return Visitor(user, [])
    state = await reader.asked(("GET", keys.state(partition_of(user, int(partitions)), user)))
    try:
        events = list(history(state))[-most:][::-1] if state else []
    except ValueError:
        events = []  # the worker says so and goes on without it
    names = await reader.asked(("HMGET", keys.names, *(name_field(event.key) for event in events))) if events else []
    items = [name.decode(errors="surrogatepass") if name else None for name in names]
    titles = await _titles(reader, keys, [item for item in items if item])
    return Visitor(
        user,
        [
            Event(item, titles.get(item or ""), event.type, event.time, event.rating)
            for item, event in zip(items, events, strict=True)
        ],
    )


async def portrait(reader: Reader, item: str) -> Portrait:
    """Return an item and what goes with it, with the evidence."""
    keys = await reader.namespace()
    stored, records = await asyncio.gather(reader.asked(("GET", keys.similar(item))), reader.items([item], keys))
    listed = decode(ItemList, keys.similar(item), stored) or ItemList([], [], 0)
    hidden = await reader.withheld([item, *listed.items], keys)
    near = [place for place, other in enumerate(listed.items) if other not in hidden][:NEIGHBOURS]
    names = [listed.items[place] for place in near]
    titles, cosines = await asyncio.gather(_titles(reader, keys, names), _cosines(reader, keys, item, names))
    record = records.get(item)
    return Portrait(
        item=item,
        known=record is not None or stored is not None,
        title=record.title if record else None,
        categories=record.categories if record else [],
        withheld=item in hidden,
        neighbours=[
            Neighbour(
                listed.items[place],
                titles.get(listed.items[place]),
                listed.scores[place],
                listed.after[place] if place < len(listed.after) else None,
                listed.before[place] if place < len(listed.before) else None,
                cosines.get(listed.items[place]),
            )
            for place in near
        ],
    )


async def _titles(reader: Reader, keys: Keys, items: Sequence[str]) -> Mapping[str, str]:
    return {item: record.title for item, record in (await reader.items(items, keys)).items() if record.title}


async def _cosines(reader: Reader, keys: Keys, item: str, others: Sequence[str]) -> dict[str, float]:
    """Return the cosine of each item's embedding with that of one; without those that have none."""
    # The last element is the item's bias: how much it is liked, not what it is like.
    vectors = {name: vector[:-1] for name, vector in (await reader.item_vectors([item, *others], keys)).items()}
    own = vectors.get(item)
    return {} if own is None else {name: _cosine(own, vectors[name]) for name in others if name in vectors}


def _cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    lengths = float(np.linalg.norm(one) * np.linalg.norm(other))
    return round(float(one @ other) / lengths, 3) if lengths and len(one) == len(other) else 0.0
