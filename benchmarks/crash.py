"""Kill the worker again and again while events arrive, and compare what it learned with what it should have.

Two workers read the same topics, each in its own namespace: one is killed with SIGKILL at random moments, one runs
undisturbed. Nothing is lost and nothing doubled when

- the killed worker's item model equals, bit for bit, a fresh fold of its learning log;
- both have learned the same number of events of every item;
- every user's stored state (history, seen items, offsets contained) is the same bytes in both.

    python -m benchmarks.crash --data FOLDER --kills 5 --rate 2000 [--limit N] [--json OUT]
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec
import orjson

from benchmarks.parts.comparison import Comparison, applied, compare, ends
from contracts.redis import Keys
from evaluation.datasets import open_dataset
from infra.local import LocalServices
from infra.redis import connect
from infra.settings import Settings
from streams.admin import ensure_topics
from streams.producer import EventProducer
from streams.publish import publish

HEADRACE = (sys.executable, "-c", "from commands.main import main; main()")


class Worker:
    """A ``headrace worker`` process of one namespace."""

    def __init__(self, settings: Settings, namespace: str, config: Path) -> None:
        self.namespace = namespace
        self._settings, self._config = settings, config
        self._store = connect(settings.redis.url)
        self._keys = Keys(namespace, settings.redis.prefix)
        self.start()

    def start(self) -> None:
        self._process = subprocess.Popen([*HEADRACE, "worker", "--config", self._config, "--namespace", self.namespace])

    def kill(self) -> None:
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        self._process.terminate()
        if self._process.wait(60) != 0:
            raise RuntimeError(f"worker {self.namespace} ended with status {self._process.returncode}")

    def status(self) -> dict[str, Any]:
        """What the present process says of itself; empty until it does."""
        value = self._store.hget(self._keys.workers, "crash")
        status: dict[str, Any] = orjson.loads(value) if value else {}
        return status if status.get("pid") == self._process.pid else {}

    def wait_until(self, reached: Callable[[dict[str, Any]], bool], timeout: float = 120.0) -> None:
        deadline = time.monotonic() + timeout
        while not reached(self.status()):
            if self._process.poll() is not None:
                raise RuntimeError(f"worker {self.namespace} ended with status {self._process.returncode}")
            if time.monotonic() > deadline:
                raise TimeoutError(f"worker {self.namespace} did not get there in {timeout} s: {self.status()}")
            time.sleep(0.05)


def disturb(worker: Worker, kills: int, rng: random.Random) -> None:
    """Kill a worker so many times, each at a random moment within three seconds after it first applied something."""
    for _ in range(kills):
        worker.wait_until(lambda status: status.get("events_applied", 0) > 0)
        time.sleep(rng.uniform(0.0, 3.0))
        worker.kill()
        worker.start()


def run(
    settings: Settings, data: str, kills: int, rate: int, limit: int | None, seed: int, directory: Path
) -> Comparison:
    """Publish while one of two workers is killed; compare both at the end."""
    config = directory / "crash.toml"
    config.write_text(
        f'home = "{settings.home}"\n'
        f'[kafka]\nbootstrap = "{settings.kafka.bootstrap}"\nprefix = "{settings.kafka.prefix}"\n'
        f"partitions = {settings.kafka.partitions}\n"
        f'[redis]\nurl = "{settings.redis.url}"\nprefix = "{settings.redis.prefix}"\n'
        # Often, so that some kills fall between two checkpoints and some into one.
        "[model]\ncheckpoint_s = 5\n"
        # A static identity, as a supervisor would give: the restarted worker need not wait for the dead one to expire.
        '[worker]\ninstance = "crash"\n'
    )
    for namespace in ("killed", "undisturbed"):
        ensure_topics(msgspec.structs.replace(settings, namespace=namespace))
    killed, undisturbed = (Worker(settings, namespace, config) for namespace in ("killed", "undisturbed"))
    store, producer = connect(settings.redis.url), EventProducer(settings)
    publishing = threading.Thread(
        target=publish, args=(open_dataset(data), producer), kwargs={"rate": rate, "limit": limit}, daemon=True
    )
    try:
        publishing.start()
        disturb(killed, kills, random.Random(seed))
        publishing.join()
        wanted = ends(settings)
        for worker in (killed, undisturbed):
            worker.wait_until(
                lambda _, worker=worker: applied(settings, store, worker.namespace).items() >= wanted.items()
            )
            worker.stop()
        return compare(settings, store, "killed", "undisturbed")
    finally:
        for worker in (killed, undisturbed):
            worker.kill()


@click.command(help=__doc__)
@click.option("--data", required=True, help="A data set's folder or JSON lines.")
@click.option("--kills", default=5, show_default=True)
@click.option("--rate", default=2000, show_default=True, help="Events per second published meanwhile.")
@click.option("--limit", type=int, help="Events published.")
@click.option("--seed", default=0, show_default=True)
@click.option("--json", "out", type=click.Path(dir_okay=False), help="Where the result goes.")
def main(data: str, kills: int, rate: int, limit: int | None, seed: int, out: str | None) -> None:
    with tempfile.TemporaryDirectory() as directory, LocalServices(Settings(home=f"{directory}/data")) as settings:
        found = run(settings, data, kills, rate, limit, seed, Path(directory))
    result = {"kills": kills, **vars(found), "passed": found.passed}
    print(json.dumps(result, indent=2))
    if out:
        Path(out).write_text(json.dumps(result))
    sys.exit(0 if found.passed else 1)


if __name__ == "__main__":
    main()
