"""A killed worker's restart under a static identity, part by part, until its first event's list is in the store.

Started anew by whoever supervises it, or forked by a process that stayed behind (``headrace worker --respawn``).
"""

from __future__ import annotations

import signal
import time
from collections.abc import Iterable
from itertools import chain, islice
from statistics import median
from typing import Any

import click
import msgspec

from benchmarks.parts.machine import load
from benchmarks.parts.worker import Worker, with_settings
from benchmarks.parts.zipf import Zipf
from contracts.events import Event, Item
from infra.settings import Settings
from streams.kafka.admin import ensure_topics
from streams.kafka.producer import EventProducer

_VISITORS = 2000
_AFTER = 5000  # events after the last checkpoint: what two minutes bring at 40 a second
_KINDS = 50
_WAITING = 100  # events for the worker to come
_REST_S = 2.0  # a barrier, and a few heartbeats
_FIRST = "first event"


def measure(settings: Settings, items: int, events: int, restarts: int) -> dict[str, Any]:
    """Return the restarts of a worker whose model knows so many items, and the medians of their parts.

    Parameters
    ----------
    settings : Settings
    items : int
        Each has a record and an event.
    events : int
        Learned besides.
    restarts : int
    """
    click.secho(f"restarts with {items:,} items", dim=True, err=True)
    prefix = f"start{items}"
    place = msgspec.structs.replace(
        settings, namespace=prefix, kafka=msgspec.structs.replace(settings.kafka, prefix=prefix)
    )
    ensure_topics(place)
    own = with_settings(place, worker={"freshened_per_s": 0}, model={"checkpoint_s": 3600})
    member, respawned = Worker(own), Worker(own, respawn=True)
    stream = Zipf(items, _VISITORS)
    clicks = stream.clicks()
    records = (Item(item=f"item {n}", title=f"Thing {n}", categories=[f"kind {n % _KINDS}"]) for n in range(items))
    try:
        _publish(place, chain(records, stream.everything(), islice(clicks, events)))
        member.start()
        _await(member, items + events)
        member.stop()  # writes a checkpoint
        member.start()
        _publish(place, islice(clicks, _AFTER))
        _await(member, _AFTER)
        anew = [_restart(member, place, list(islice(clicks, _WAITING))) for _ in range(restarts)]
        member.kill()  # the same log after the same checkpoint
        again = [_await_respawn(respawned, place, list(islice(clicks, _WAITING))) for _ in range(restarts)]
    finally:
        member.kill()
        respawned.kill()
    return {
        "items": items,
        "events": items + events,
        "log_tail_events": _AFTER,
        "starts": {"anew": _with_medians(anew), "respawned": _with_medians(again)},
    }


def _restart(member: Worker, place: Settings, waiting: list[Any]) -> dict[str, Any]:
    """Kill the worker, publish what waits for it, and start it."""
    time.sleep(_REST_S)
    member.kill()
    _publish(place, waiting)
    began = time.monotonic()
    member.start()
    return _first_event(member, began)


def _await_respawn(member: Worker, place: Settings, waiting: list[Any]) -> dict[str, Any]:
    """Kill the worker while events wait for it; it is started again by what stayed behind."""
    member.start()
    member.wait_until_ready()
    time.sleep(_REST_S)
    member.signal(signal.SIGSTOP)  # what is published now is for the next one
    _publish(place, waiting)
    before, began = member.pid, time.monotonic()
    member.signal(signal.SIGKILL)
    while member.pid in (0, before):
        time.sleep(0.001)
    measured = _first_event(member, began)
    member.kill()
    return measured


def _first_event(member: Worker, began: float) -> dict[str, Any]:
    status = member.wait_until(lambda status: _FIRST in status.get("start_ms", {}), "applied its first event")
    start: dict[str, int] = status["start_ms"]
    return {
        "start_ms": start,
        "start_cpu_ms": status["start_cpu_ms"],
        "seconds": round(sum(start.values()) / 1000, 2),
        "seen_after_s": round(time.monotonic() - began, 2),
        "cpu_s": round(sum(status["start_cpu_ms"].values()) / 1000, 2),
        "load": load(),
    }


def _with_medians(runs: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "runs": runs,
        "median_ms": _medians(runs, "start_ms"),
        "median_cpu_ms": _medians(runs, "start_cpu_ms"),
        "median_s": round(median(run["seconds"] for run in runs), 2),
        "median_cpu_s": round(median(run["cpu_s"] for run in runs), 2),
    }


def _medians(runs: list[dict[str, Any]], what: str) -> dict[str, int]:
    return {part: round(median(run[what][part] for run in runs)) for part in runs[0][what]}


def _publish(place: Settings, events: Iterable[Event]) -> None:
    producer = EventProducer(place)
    for event in events:
        producer.publish(event)
    producer.flush()


def _await(member: Worker, events: int) -> None:
    """Wait until so many events are applied and learned, however long it takes while it goes on."""
    reached = 0
    while reached < events:
        before = reached
        status = member.wait_until(lambda status: status.get("events_applied", 0) > before, "applied any event")  # noqa: B023
        reached = int(status["events_applied"])
    position = -1
    while position != (position := int(member.status()["log_position"])):
        time.sleep(2.0)
