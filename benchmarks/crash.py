"""Disturb a worker again and again while events arrive, and compare what it learned with what it should have.

    python -m benchmarks.crash --data ml-100k --kills 20
    python -m benchmarks.crash --data ml-100k --limit 20000 --failpoints --broker-kills 2 --redis-kills 2 --json OUT

A disturbance is a SIGKILL at a random moment within three seconds after the worker first applied something since its
start; a death at a failpoint (each in turn, of ``infra.failpoints``); Kafka ended with SIGKILL; or Redis
ended as by a power failure, without its last second. Before and during each, the next part of the data set is
published. Afterwards an undisturbed worker of another namespace reads the same topics, and both are compared, see
``parts/comparison.py``.
"""

from __future__ import annotations

import json
import random
import sys
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import click
import msgspec

from benchmarks.parts.comparison import Comparison, applied, compare, ends
from benchmarks.parts.disturbances import Disturbances
from benchmarks.parts.feed import Feed
from benchmarks.parts.supervised import SupervisedWorker
from benchmarks.parts.worker import with_settings
from infra import failpoints
from infra.local import LocalServices
from infra.redis import connect
from infra.settings import Settings
from streams.kafka.admin import ensure_topics

_TRICKLE_S = 4.0
_EVERY_BARRIER = ("flush", "states", "applied", "commit")
_DISTURBED, _UNDISTURBED = "disturbed", "undisturbed"

Action = tuple[str, Callable[[], None]]
Reached = Callable[[dict[str, Any]], bool]


def run(
    data: str, limit: int | None, seed: int, directory: Path, counts: dict[str, int], points: list[str]
) -> dict[str, Any]:
    """Publish while a worker is disturbed; compare it at the end; return the figures."""
    services = LocalServices(Settings(home=str(directory / "data")))
    with services as settings:
        for namespace in (_DISTURBED, _UNDISTURBED):
            ensure_topics(msgspec.structs.replace(settings, namespace=namespace))
        rng, began = random.Random(seed), time.monotonic()
        worker = started(settings, _DISTURBED)
        workers = [worker]
        try:
            actions = planned(Disturbances(worker, services, rng), rng, counts, points)
            feed = Feed(settings, data, limit, len(actions) + 1)
            for name, action in actions:
                disturb(settings, worker, feed, name, action)
                print(f"{time.monotonic() - began:6.0f} s  {name}", file=sys.stderr)
            feed.rest()
            finish(settings, worker)
            workers.append(started(settings, _UNDISTURBED))
            finish(settings, workers[-1])
            found = compare(settings, connect(settings.redis.url), _DISTURBED, _UNDISTURBED)
        finally:
            for each in workers:
                each.kill()
    return figures(found, actions, worker, time.monotonic() - began)


def started(settings: Settings, namespace: str) -> SupervisedWorker:
    """Return a worker of a namespace that has begun."""
    # Checkpoints often, so that some crashes fall between two and some into one.
    settings = with_settings(msgspec.structs.replace(settings, namespace=namespace), model={"checkpoint_s": 5})
    worker = SupervisedWorker(settings)
    worker.start()
    return worker


def planned(disturbances: Disturbances, rng: random.Random, counts: dict[str, int], points: list[str]) -> list[Action]:
    """Return the disturbances in a random order, each with its name."""
    actions: list[Action] = [("worker killed", disturbances.kill)] * counts["kills"]
    actions += [("broker killed", disturbances.broker)] * counts["broker_kills"]
    actions += [("Redis cut", disturbances.redis)] * counts["redis_kills"]
    actions += [(name, partial(disturbances.failpoint, name, passes(name, rng))) for name in points]
    rng.shuffle(actions)
    return actions


def passes(name: str, rng: random.Random) -> int:
    """Return at which pass of a failpoint to die: steps of the barrier are passed every second, others perhaps once."""
    return rng.randint(1, 3) if name.partition(":")[2] in _EVERY_BARRIER else 1


def disturb(settings: Settings, worker: SupervisedWorker, feed: Feed, name: str, action: Callable[[], None]) -> None:
    """Publish the next piece: half of it waits for the worker, half arrives while the disturbance happens."""
    waiting, arriving = feed.halves()
    before = worker.status()
    feed.publish(waiting)
    if ":" in name:
        # Who dies again and again at the same event is taken for poisoned by it, and rightly.
        worker.wait_until(everything(settings, worker), "applied everything")
    else:
        worker.wait_until(anything_after(before), "applied anything")
    feed.trickle(arriving, _TRICKLE_S)
    action()
    feed.settle()


def anything_after(before: dict[str, Any]) -> Reached:
    """Return whether a worker has applied an event since it said ``before``, or since its start."""

    def reached(status: dict[str, Any]) -> bool:
        known = before.get("events_applied", 0) if before.get("pid") == status.get("pid") else 0
        return bool(status.get("events_applied", 0) > known)

    return reached


def everything(settings: Settings, worker: SupervisedWorker) -> Reached:
    """Return whether everything published so far is applied and durable."""
    wanted, store = ends(settings), connect(settings.redis.url)
    return lambda _: applied(settings, store, worker.namespace).items() >= wanted.items()


def finish(settings: Settings, worker: SupervisedWorker) -> None:
    """Wait until everything published is applied and durable, then end the worker in order."""
    worker.wait_until(everything(settings, worker), "applied everything", 600.0)
    worker.stop()


def figures(found: Comparison, actions: list[Action], worker: SupervisedWorker, seconds: float) -> dict[str, Any]:
    """Return everything as plain values."""
    names = [name for name, _ in actions]
    return {
        "disturbances": {name: names.count(name) for name in sorted(set(names))},
        "starts": worker.starts,
        "seconds": round(seconds),
        **vars(found),
        "passed": found.passed,
    }


@click.command(help=__doc__)
@click.option("--data", required=True, help="A data set's folder or JSON lines.")
@click.option("--kills", default=0, show_default=True, help="Of the worker, by SIGKILL.")
@click.option("--failpoints", "all_points", is_flag=True, help="Let it die at every failpoint.")
@click.option("--failpoint", "points", multiple=True, help="Let it die at this one.")
@click.option("--broker-kills", default=0, show_default=True)
@click.option("--redis-kills", default=0, show_default=True)
@click.option("--limit", type=int, help="Events published.")
@click.option("--seed", default=0, show_default=True)
@click.option("--json", "out", type=click.Path(dir_okay=False), help="Where the result goes.")
def main(
    data: str,
    kills: int,
    all_points: bool,
    points: tuple[str, ...],
    broker_kills: int,
    redis_kills: int,
    limit: int | None,
    seed: int,
    out: str | None,
) -> None:
    counts = {"kills": kills, "broker_kills": broker_kills, "redis_kills": redis_kills}
    chosen = failpoints.names() if all_points else list(points)
    if not chosen and not any(counts.values()):
        raise click.UsageError("name a disturbance: --kills N, --failpoints, --broker-kills N or --redis-kills N")
    with tempfile.TemporaryDirectory() as directory:
        result = run(data, limit, seed, Path(directory), counts, chosen)
    print(json.dumps(result, indent=1))
    if out:
        Path(out).write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    sys.exit(0 if result["passed"] else 1)


if __name__ == "__main__":
    main()
