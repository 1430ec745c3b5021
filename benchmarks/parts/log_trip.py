"""How long a record of the learning log is on its way, from append to folded."""

from __future__ import annotations

import asyncio
import time
from collections import deque

import confluent_kafka as ck
import numpy as np

from benchmarks.parts.lessons import BATCH, SMALL, Teacher
from benchmarks.parts.log import Log
from benchmarks.parts.place import Place
from benchmarks.parts.stream import Stream
from contracts.learning import Lessons
from infra.settings import Worker
from models.engine import Engine

_STEADY = (1_000, 10_000)  # events per second
_FULL_SPEED = 300_000  # events


def trips(place: Place, stream: Stream, seconds: int) -> dict[str, dict[str, float]]:
    """Return percentiles in ms at steady rates, kept for so many seconds each, and as fast as it goes."""
    found = {}
    for rate in _STEADY:
        records = list(Teacher().teach(stream.clicks(0, rate * seconds), SMALL * rate // _STEADY[0]))
        found[f"{rate:,} events/s"] = asyncio.run(_trip(Log(place, f"trip-{rate}"), records, rate))
    records = list(Teacher().teach(stream.clicks(0, _FULL_SPEED), BATCH))
    return found | {"full speed": asyncio.run(_trip(Log(place, "trip-full"), records, None))}


async def _trip(log: Log, records: list[Lessons], rate: int | None) -> dict[str, float]:
    """Append at a rate, or as soon as there is room: never more on their way than a worker has batches in flight."""
    learning = log.learning(Engine())
    appended, taken = deque[float](), list[float]()
    room, folded = asyncio.Semaphore(Worker().window), asyncio.Event()

    def deliver(messages: list[ck.Message]) -> None:
        learning.arrived(messages)
        now = time.perf_counter()
        for _ in messages:
            taken.append((now - appended.popleft()) * 1000)
            room.release()
        if len(taken) == len(records):
            folded.set()

    reader = await log.read(deliver)
    began, events = time.perf_counter(), 0
    for record in records:
        if rate:
            await asyncio.sleep(max(0.0, began + events / rate - time.perf_counter()))
        await room.acquire()
        appended.append(time.perf_counter())
        learning.append(record)
        events += len(record)
    await folded.wait()
    seconds = time.perf_counter() - began
    await reader.stop()
    return {
        "p50, ms": round(float(np.percentile(taken, 50)), 2),
        "p99, ms": round(float(np.percentile(taken, 99)), 2),
        "events per second": round(events / seconds),
        "events per record": round(events / len(records), 1),
    }
