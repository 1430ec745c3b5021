"""What an event costs on its way through the learning log, in µs of a core, by how many share a record."""

from __future__ import annotations

import time
from collections.abc import Callable
from statistics import median

from benchmarks.parts.lessons import BATCH, SMALL, Teacher
from benchmarks.parts.log import Log
from benchmarks.parts.place import Place
from benchmarks.parts.stream import Stream
from contracts.learning import Lessons, decode_lessons, encode_lessons
from models.engine import Engine

# SMALL and BATCH are whole polls; 1 and 64 what they would be with a record for each of eight partitions.
SIZES = (1, SMALL, 64, BATCH)
_STRETCH = 10_000  # events per measurement
_ROUNDS = 5
_FULL_HISTORIES = 60  # events of every user before the first measurement


def costs(place: Place, stream: Stream) -> dict[str, dict[str, float]]:
    """Return events per record → step → µs per event, medians of interleaved rounds."""
    teacher, engine = Teacher(), Engine()
    at = _FULL_HISTORIES * stream.users
    for position, lesson in enumerate(teacher.teach(stream.clicks(0, at), BATCH)):
        engine.learn(lesson, position)
    rounds: dict[int, list[dict[str, float]]] = {size: [] for size in SIZES}
    for number in range(_ROUNDS):
        for size in SIZES:
            records = list(teacher.teach(stream.clicks(at, _STRETCH), size))
            at += _STRETCH
            rounds[size].append(_cost(Log(place, f"cost-{number}-{size}"), records, engine))
    return {
        str(size): {step: round(median(one[step] for one in done), 2) for step in done[0]}
        for size, done in rounds.items()
    }


def _cost(log: Log, records: list[Lessons], engine: Engine) -> dict[str, float]:
    learning = log.learning(engine)

    def append() -> None:
        for record in records:
            learning.append(record)

    def fold() -> None:
        for position, lesson in enumerate(decoded, engine.items.position):
            engine.learn(lesson, position)

    encoded: list[bytes] = []
    decoded: list[Lessons] = []
    seconds = {
        "encode": _seconds(lambda: encoded.extend(map(encode_lessons, records))),
        "encode and append": _seconds(append),
        "decode": _seconds(lambda: decoded.extend(map(decode_lessons, encoded))),
        "fold": _seconds(fold),
    }
    learning.flush()
    return {step: taken / _STRETCH * 1e6 for step, taken in seconds.items()}


def _seconds(step: Callable[[], None]) -> float:
    began = time.thread_time()  # of a core: what others do meanwhile does not count
    step()
    return time.thread_time() - began
