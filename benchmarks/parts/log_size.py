"""What an event takes on the learning log, in bytes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from benchmarks.parts.lessons import BATCH, SMALL, Teacher, without_history
from benchmarks.parts.log import Log
from benchmarks.parts.place import Place
from contracts.events import Click
from contracts.learning import Lessons, encode_lessons

Events = Callable[[int, int], Iterable[Click]]
"""First position and number → events."""

_BEFORE = 400_000  # events before those whose size is measured: most histories are full by then
_EVENTS = 100_000


def sizes(place: Place, orders: dict[str, Events]) -> dict[str, dict[str, float]]:
    """Return order of the events → kind of log → bytes per event."""
    return {name: _size(place, name.replace(" ", "-"), events) for name, events in orders.items()}


def _size(place: Place, name: str, events: Events) -> dict[str, float]:
    records, small = (
        list(Teacher(events(0, _BEFORE)).teach(events(_BEFORE, _EVENTS), size)) for size in (BATCH, SMALL)
    )

    def on_disk(kind: str, lessons: Iterable[Lessons], compression: str = "zstd", *, each: bool = False) -> float:
        log = Log(place, f"size-{name}-{kind}", compression)
        log.append(lessons, each=each)
        return round(log.bytes_on_disk() / _EVENTS, 1)

    return {
        "keys of history": round(sum(len(record.history) for record in records) / _EVENTS, 1),
        "encoded": round(sum(len(encode_lessons(record)) for record in records) / _EVENTS, 1),
        "on disk, no compression": on_disk("plain", records, "none"),
        "on disk, zstd": on_disk("zstd", records),
        "the same without history": on_disk("bare", map(without_history, records)),
        # At a low rate Kafka has no second record to compress together with the first.
        f"zstd, {SMALL} events a record": on_disk("small", small, each=True),
    }
