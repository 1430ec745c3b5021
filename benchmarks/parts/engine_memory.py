"""The engine's memory while users and items come and go: a JSON line with its resident size along the stream.

    python -m benchmarks.parts.engine_memory EVENTS

One event in ten is by somebody new, the others by one of the latest visitors; what is popular moves through a
catalogue of fixed size, so that items not chosen for long come and others go. Users leave as they do in a worker, after
their states were taken as if to store them.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import orjson

from benchmarks.parts.engine_speed import BATCH
from contracts.events import Click
from contracts.learning import Source, decode_lessons, encode_lessons
from models.engine import Batch, Engine

ITEMS = 100_000
_PRESENT = 50_000  # of the latest visitors come the next events
_NEW = 0.1
_DRIFT = 0.02  # items per event by which popularity moves on
_STEEPNESS = 0.9
_STORED_EVERY = 20  # batches: what a worker at full speed applies between two barriers
_SAMPLES = 100
_PAGE_MB = 4096 / 1e6


def stream(rng: np.random.Generator) -> Iterator[list[Click]]:
    """Yield batches without end."""
    shares = np.arange(1, ITEMS + 1, dtype=np.float64) ** -_STEEPNESS
    ladder = np.cumsum(shares / shares.sum())[:-1]
    visitors = done = 0
    while True:
        new = rng.random(BATCH) < _NEW
        new[0] = True
        numbers = visitors + np.cumsum(new) - 1
        users = np.where(new, numbers, rng.integers(np.maximum(numbers - _PRESENT, 0), numbers + 1))
        items = (np.searchsorted(ladder, rng.random(BATCH)) + int(done * _DRIFT)) % ITEMS
        pairs = enumerate(zip(users.tolist(), items.tolist(), strict=True), done)
        yield [Click(user=f"visitor {user}", item=f"item {item}", time=number) for number, (user, item) in pairs]
        visitors, done = visitors + int(new.sum()), done + BATCH


def curve(events: int) -> dict[str, object]:
    """Return events, resident memory in MB along the way, and what is held at the end."""
    engine = Engine()
    sampled, done, began = [], 0, time.perf_counter()
    batches = stream(np.random.default_rng(0))
    total = max(events // BATCH, _SAMPLES)
    for number in range(total):
        batch = next(batches)
        offsets = range(done, done + len(batch))
        done += len(batch)
        for user in engine.users.missing(str(event.user) for event in batch):
            engine.users.admit(user, None)
        source = Source("clicks", "memory", 0, offsets[0], offsets[-1])
        lessons = engine.observe(Batch(batch, [0] * len(batch), offsets, [True] * len(batch), [source])).lessons
        engine.learn(decode_lessons(encode_lessons(lessons)), number)
        engine.items.touched(len(batch))
        if number % _STORED_EVERY == 0:
            engine.users.changed().encoded()
            engine.users.evict()
        if number % (total // _SAMPLES) == 0:
            sampled.append((done, resident_mb()))
    return {
        "events": done,
        "curve": sampled,
        "items": len(engine.items.catalogue),
        "resident_users": len(engine.users),
        "places_of_pairs": int(engine.items.pairs.pool[0]),
        "seconds": round(time.perf_counter() - began),
    }


def resident_mb() -> float:
    """Return the memory of this process, in MB."""
    return round(int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE_MB, 1)


if __name__ == "__main__":
    print(orjson.dumps(curve(int(sys.argv[1]))).decode())
