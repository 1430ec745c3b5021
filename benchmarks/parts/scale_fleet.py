"""One, two and four workers on the same backlog: what an event costs its owner, and what it costs everybody else.

Every worker applies the events of its own users and learns everybody's, so with w workers each spends own / w + learn
of a core per event of the whole stream. Both are fitted to the runs by least squares; from them follows what more
workers would carry, each on a core of its own.
"""

from __future__ import annotations

import signal
import time
from itertools import islice
from typing import Any

import click
import msgspec
import numpy as np
from confluent_kafka import Message

from benchmarks.parts.machine import cpu_s, load
from benchmarks.parts.worker import Worker, with_settings
from benchmarks.parts.zipf import Zipf
from contracts.learning import decode_lessons
from contracts.topics import LEARNING, topic_name
from infra.settings import Settings
from streams.kafka.admin import ensure_topics
from streams.kafka.producer import EventProducer
from streams.kafka.whole import read_whole

WORKERS = (1, 2, 4)
ON_PAPER = (1, 2, 4, 8, 16, 32)
_ITEMS, _VISITORS = 4000, 2000
# They sleep while the backlog is published, and must not be taken for dead.
_WORKER = {"freshened_per_s": 0, "session_ms": 45_000}


def measure(settings: Settings, events: int) -> dict[str, Any]:
    """Return the runs, the fit and what follows from it."""
    runs = [_run(settings, workers, events) for workers in WORKERS]
    return {
        "events": events,
        "items": _ITEMS,
        "visitors": _VISITORS,
        "runs": runs,
        "fit": fit({run["workers"]: run["cpu_us_per_event_of_each"] for run in runs}),
    }


def fit(cost: dict[int, float]) -> dict[str, Any]:
    """Split what an event of the stream costs each of w workers, in µs, into own / w + learn.

    Parameters
    ----------
    cost : mapping
        Number of workers → µs of each per event of the whole stream.
    """
    shares = np.array([[1 / workers, 1.0] for workers in cost])
    measured = np.array(list(cost.values()))
    (own, learn), *_ = np.linalg.lstsq(shares, measured, rcond=None)
    rest = measured - shares @ np.array([own, learn])
    return {
        "own_us": round(float(own), 1),
        "learn_us": round(float(learn), 1),
        "residual_us": {str(workers): round(float(value), 2) for workers, value in zip(cost, rest, strict=True)},
        "events_per_s": {str(workers): round(1e6 / (own / workers + learn)) for workers in ON_PAPER},
        "learning_fills_a_core_at": round(1e6 / learn) if learn > 0 else None,
    }


def _run(settings: Settings, workers: int, events: int) -> dict[str, Any]:
    click.secho(f"{workers} workers", dim=True, err=True)
    place = msgspec.structs.replace(
        settings, namespace=f"of-{workers}", kafka=msgspec.structs.replace(settings.kafka, prefix=f"scale{workers}")
    )
    ensure_topics(place)
    configured = with_settings(place, worker=_WORKER, model={"checkpoint_s": 3600})
    members = [Worker(configured, f"w{number}") for number in range(workers)]
    try:
        for each in members:
            each.start()
        _share_out(members, settings.kafka.partitions)
        before = _asleep(members, place, events)
        began = time.monotonic()
        for each in members:
            each.signal(signal.SIGCONT)
        _await(members, "events_applied", events)
        seconds = time.monotonic() - began
        _await(members, "learned", events)
        time.sleep(1.0)  # the last barrier
        spent = [cpu_s(each.pid) - used for each, used in zip(members, before, strict=True)]
        statuses = [each.status() for each in members]
        for each in members:
            each.stop()
    finally:
        for each in members:
            each.kill()
    return {
        "workers": workers,
        "events_per_s": round(events / seconds),
        "own_events": [status["events_applied"] for status in statuses],
        "cpu_us_per_event_of_each": round(sum(spent) / workers / events * 1e6, 1),
        "cpu_us_per_event_in_all": round(sum(spent) / events * 1e6, 1),
        "events_per_batch": [status["events_per_batch"] for status in statuses],
        "model_alike": len({each.status()["model_digest"] for each in members}) == 1,
        "log": _log(place, events),
        "load": load(),
    }


def _asleep(members: list[Worker], place: Settings, events: int) -> list[float]:
    """Publish the backlog while the workers sleep; return the CPU time that each had used."""
    before = []
    for each in members:
        each.signal(signal.SIGSTOP)
        before.append(cpu_s(each.pid))
    producer = EventProducer(place)
    for event in islice(Zipf(_ITEMS, _VISITORS).clicks(), events):
        producer.publish(event)
    producer.flush()
    return before


def _share_out(members: list[Worker], partitions: int) -> None:
    everything = set(range(partitions))
    for each in members:
        each.wait_until(lambda status: bool(status.get("ready")), "become ready")

    def is_done() -> bool:
        owned = [each.numbers() for each in members]
        return all(owned) and sum(map(len, owned)) == partitions and set().union(*owned) == everything

    members[0].wait_until(lambda _: is_done(), "shared the partitions with the others")


def _await(members: list[Worker], counter: str, events: int) -> None:
    """Wait until all events are counted: applied by one of the workers, learned by each."""

    def reached() -> bool:
        counts = [int(each.status()[counter]) for each in members]
        return (sum(counts) if counter == "events_applied" else min(counts)) >= events

    members[0].wait_until(lambda _: reached(), f"{counter} {events:,}")


def _log(place: Settings, events: int) -> dict[str, float]:
    """Return bytes of the learning log per event: on disk, as Kafka compressed it, and as records."""
    topic = topic_name(LEARNING, place.kafka.prefix, place.namespace)
    folder = place.home_dir / "kafka" / "logs" / f"{topic}-0"
    records: list[Message] = list(read_whole(place, topic))
    sizes = [len(record.value()) for record in records]
    taught = sum(len(decode_lessons(record.value()).offset) for record in records)
    return {
        "on_disk": round(sum(file.stat().st_size for file in folder.glob("*.log")) / events, 1),
        "as_records": round(sum(sizes) / events, 1),
        "events_per_record": round(taught / len(records), 1),
    }
