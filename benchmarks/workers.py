"""Disturb two workers that share eight partitions while events arrive, and compare them with one that is left alone.

At random they leave and join, are killed and restarted, are killed and stay away, sleep for longer than their session
lasts, and a third joins for a while. Nothing is lost and nothing doubled when what ``benchmarks.crash`` compares is
equal; besides, all replicas hold the same item model bit for bit, and no reader sees a list older than one before it.
Measured is for how long the watermarks of a crashed worker's partitions, and of the others, stand still.

    python -m benchmarks.workers --minutes 2 [--rate 300] [--seed 0] [--json OUT]
"""

from __future__ import annotations

import json
import random
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec

from benchmarks.parts.comparison import applied, compare, ends
from benchmarks.parts.witness import Witness
from benchmarks.parts.worker import Worker, with_settings
from benchmarks.parts.zipf import Zipf
from infra.local import LocalServices
from infra.redis import connect
from infra.settings import Settings
from streams.kafka.admin import ensure_topics
from streams.kafka.producer import EventProducer

TOGETHER, ALONE = "together", "alone"
_ITEMS, _VISITORS = 2000, 1000
_SESSION_MS = 6000
_ASLEEP_S = 60.0
_SETTLED_S = 3.0


class Publisher(threading.Thread):
    """Publishes clicks at a steady rate until it is told to end."""

    def __init__(self, settings: Settings, rate: int, seed: int) -> None:
        super().__init__(daemon=True)
        self._producer, self._rate = EventProducer(settings), rate
        self._clicks = Zipf(_ITEMS, _VISITORS, seed).clicks()
        self._over = threading.Event()
        self.events = 0

    def run(self) -> None:
        begin = time.monotonic()
        while not self._over.wait(max(0.0, begin + self.events / self._rate - time.monotonic())):
            self._producer.publish(next(self._clicks))
            self.events += 1
        self._producer.flush()

    def end(self) -> None:
        self._over.set()
        self.join()


class Disturbance:
    """The kinds of disturbance, and what they did to the partitions."""

    def __init__(self, settings: Settings, members: list[Worker], witness: Witness, seed: int) -> None:
        self._one, self._two, self._guest = members
        self._witness, self._partitions = witness, frozenset(range(settings.kafka.partitions))
        self._rng = random.Random(seed)
        self.measured: list[dict[str, Any]] = []

    def go_on_for(self, seconds: float) -> None:
        """Disturb for so long: each kind in turn, in another order each time."""
        deadline = time.monotonic() + seconds
        kinds: list[Callable[[Worker, Worker], None]] = []
        while time.monotonic() < deadline:
            if not kinds:
                kinds = [self.killed_and_restarted, self.left, self.stayed_away, self.slept, self.had_a_guest]
                self._rng.shuffle(kinds)
            self._settle()
            self._disturb(kinds.pop())
        self._settle()

    def _disturb(self, kind: Callable[[Worker, Worker], None]) -> None:
        who, other = self._rng.sample([self._one, self._two], 2)
        its, others = who.numbers(), other.numbers()
        time.sleep(self._rng.uniform(0.0, 1.0))
        begin = time.monotonic()
        kind(who, other)
        time.sleep(_SETTLED_S)  # until input has arrived everywhere again
        end = time.monotonic()
        self.measured.append(
            {
                "what": kind.__name__,
                "its_partitions_s": self._witness.longest_rest(its, begin, end),
                "the_others_s": self._witness.longest_rest(others, begin, end),
            }
        )
        click.echo(f"  {self.measured[-1]}", err=True)

    def killed_and_restarted(self, who: Worker, _: Worker) -> None:
        who.kill()
        who.start()
        who.wait_until(lambda _: bool(who.numbers()), "come back")

    def stayed_away(self, who: Worker, other: Worker) -> None:
        who.kill()
        other.wait_until(lambda _: other.numbers() == self._partitions, "taken over")

    def left(self, who: Worker, other: Worker) -> None:
        who.stop()
        other.wait_until(lambda _: other.numbers() == self._partitions, "taken over")

    def slept(self, who: Worker, other: Worker) -> None:
        until = time.monotonic() + _ASLEEP_S
        who.signal(signal.SIGSTOP)
        other.wait_until(lambda _: other.numbers() == self._partitions, "taken over")
        time.sleep(max(0.0, until - time.monotonic()))
        who.signal(signal.SIGCONT)

    def had_a_guest(self, *_: Worker) -> None:
        self._guest.start()
        self._guest.wait_until(lambda _: bool(self._guest.numbers()), "joined")
        self._guest.stop()

    def _settle(self) -> None:
        """Wait until both work again, and each on partitions of its own."""
        for each in (self._one, self._two):
            if not each.runs:
                each.start()
        self._one.wait_until(lambda _: self._is_shared_out(), "shared the partitions with the other")
        time.sleep(_SETTLED_S)

    def _is_shared_out(self) -> bool:
        one, two = self._one.numbers(), self._two.numbers()
        return bool(one) and bool(two) and not one & two and one | two == self._partitions


def run(settings: Settings, minutes: float, rate: int, seed: int) -> dict[str, Any]:
    """Disturb, compare, and return what was found."""
    for namespace in (TOGETHER, ALONE):
        ensure_topics(msgspec.structs.replace(settings, namespace=namespace))
    watched = msgspec.structs.replace(settings, namespace=TOGETHER)
    # Checkpoints often, so that some disturbances fall between two and some into one.
    often: dict[str, Any] = {"checkpoint_s": 5}
    shared = with_settings(watched, worker={"session_ms": _SESSION_MS}, model=often)
    members = [Worker(shared, name) for name in ("one", "two", "guest")]
    alone = Worker(with_settings(msgspec.structs.replace(settings, namespace=ALONE), model=often), "alone")
    store, publisher = connect(settings.redis.url), Publisher(settings, rate, seed)
    users = [f"visitor {number}" for number in range(_VISITORS)]
    try:
        for each in (*members[:2], alone):
            each.start()
        for each in (*members[:2], alone):
            each.wait_until_ready()
        publisher.start()
        with Witness(watched, users) as witness:
            disturbance = Disturbance(settings, members, witness, seed)
            disturbance.go_on_for(60 * minutes)
            publisher.end()
            wanted = ends(settings)
            for each, namespace in ((members[0], TOGETHER), (alone, ALONE)):
                each.wait_until(
                    lambda _, of=namespace: applied(settings, store, of).items() >= wanted.items(),  # type: ignore[misc]
                    "applied everything",
                )
            time.sleep(_SETTLED_S)  # the last lessons come back
            digests = []
            for each in (*members[:2], alone):
                each.stop()
                digests.append(each.status()["model_digest"])
        found = compare(settings, store, TOGETHER, ALONE)
        return {
            **msgspec.to_builtins(found),
            "published": publisher.events,
            "replicas_equal": digests[0] == digests[1],
            "lists_read": witness.lists,
            "older_lists": witness.older,
            "disturbances": disturbance.measured,
            "session_s": _SESSION_MS / 1000,
            "passed": found.passed and digests[0] == digests[1] and not witness.older,
        }
    finally:
        for each in (*members, alone):
            each.kill()


@click.command(help=__doc__)
@click.option("--minutes", default=10.0, show_default=True, help="For how long the workers are disturbed.")
@click.option("--rate", default=300, show_default=True, help="Events per second published meanwhile.")
@click.option("--seed", default=0, show_default=True)
@click.option("--json", "out", type=click.Path(dir_okay=False), help="Where the result goes.")
def main(minutes: float, rate: int, seed: int, out: str | None) -> None:
    with tempfile.TemporaryDirectory() as directory, LocalServices(Settings(home=f"{directory}/data")) as settings:
        found = run(settings, minutes, rate, seed)
    print(json.dumps(found, indent=2))
    if out:
        Path(out).write_text(json.dumps(found))
    sys.exit(0 if found["passed"] else 1)


if __name__ == "__main__":
    main()
