"""How fast a learning log is read back: what a worker without a checkpoint waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator

from benchmarks.parts.lessons import BATCH, Teacher
from benchmarks.parts.log import Log
from benchmarks.parts.place import Place
from contracts.events import Click
from contracts.learning import Lessons
from models.engine import Engine


def catch_up(place: Place, events: Iterable[Click]) -> dict[str, float]:
    """Write what the events teach, then read it back, once only so and once learning all of it."""
    log, engine = Log(place, "catch-up"), Engine()
    taught = 0

    def counted() -> Iterator[Lessons]:
        nonlocal taught
        for record in Teacher().teach(events, BATCH):
            taught += len(record)
            yield record

    log.append(counted())
    read = asyncio.run(log.read_whole(lambda messages: None))
    learned = asyncio.run(log.read_whole(log.learning(engine).arrived))
    if engine.items.events != taught:
        raise AssertionError(f"{engine.items.events} of {taught} events were learned")
    return {
        "events": taught,
        "megabytes": round(log.bytes_on_disk() / 1e6, 1),
        "µs per event, read only": round(read / taught * 1e6, 2),
        "seconds": round(learned, 2),
        "events per second": round(taught / learned),
    }
