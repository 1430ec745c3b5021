"""Publishes clicks at a steady rate for a while, with new visitors and new items all the time.

    python -m benchmarks.parts.soak_stream BROKER RATE SECONDS

Every tenth event is by somebody new, the others by one of the visitors of the last minutes; what is popular moves
through an endless catalogue, a few items come into it every second and as many leave. Prints one JSON line.
"""

from __future__ import annotations

import sys
import time

import numpy as np
import orjson

from contracts.events import Click
from infra.settings import Kafka, Settings
from streams.kafka.producer import EventProducer

_NEW = 0.1
_STAYS_S = 200.0  # a visitor, since he came; a tenth of a shorter run
_ITEMS = 5_000  # at any moment
_DRIFT = 0.005  # items per event by which the catalogue moves on
_STEEPNESS = 0.9
_TICK_S = 0.02


def _main(broker: str, rate: int, seconds: float) -> None:
    rng = np.random.default_rng(0)
    shares = np.arange(1, _ITEMS + 1, dtype=np.float64) ** -_STEEPNESS
    ladder = np.cumsum(shares / shares.sum())[:-1]
    producer = EventProducer(Settings(kafka=Kafka(bootstrap=broker)))
    producer.cluster()
    begin = time.perf_counter()
    present = max(1, round(_NEW * rate * min(_STAYS_S, seconds / 10)))  # of these latest visitors come the next events
    done, visitors = 0, 1
    while (elapsed := time.perf_counter() - begin) < seconds:
        due = int(elapsed * rate) - done
        if due <= 0:
            time.sleep(_TICK_S)
            continue
        new = rng.random(due) < _NEW
        numbers = visitors + np.cumsum(new) - 1
        users = np.where(new, numbers, rng.integers(np.maximum(numbers - present, 0), numbers + 1))
        items = np.searchsorted(ladder, rng.random(due)) + ((done + np.arange(due)) * _DRIFT).astype(np.int64)
        for user, item in zip(users.tolist(), items.tolist(), strict=True):
            producer.publish(Click(user=f"visitor {user}", item=f"item {item}"))
        visitors, done = visitors + int(new.sum()), done + due
    producer.flush()
    kept = round(done / (time.perf_counter() - begin))
    last = int(done * _DRIFT) + _ITEMS
    print(orjson.dumps({"events": done, "events_per_second": kept, "visitors": visitors, "items": last}).decode())


if __name__ == "__main__":
    _main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
