"""Where the benchmark runs: a broker and a store of its own, and how its programs are started on them."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import msgspec
import orjson
from confluent_kafka.admin import AdminClient, NewTopic

from contracts.events import Event
from contracts.topics import CLICKS, RATINGS, topic_name
from infra.errors import HeadraceError
from infra.local import LocalServices
from infra.settings import Settings
from streams.admin import ensure_topics
from streams.producer import EventProducer

ROOT = Path(__file__).resolve().parents[2]
CONTROL_TOPIC = "control"  # of the control of freshness
_PARTS = Path(__file__).parent


@dataclass(frozen=True)
class Place:
    """A broker and a store in a temporary directory.

    Parameters
    ----------
    settings : Settings
        Defaults, with the addresses filled in.
    """

    settings: Settings

    @property
    def clicks(self) -> str:
        """Full name of the topic of clicks."""
        return topic_name(CLICKS, self.settings.kafka.prefix, self.settings.namespace)

    @property
    def ratings(self) -> str:
        """Full name of the topic of ratings."""
        return topic_name(RATINGS, self.settings.kafka.prefix, self.settings.namespace)

    def publish(self, events: Iterable[Event]) -> None:
        """Publish events as fast as Kafka takes them; all are acknowledged on return."""
        producer = EventProducer(self.settings)
        for event in events:
            producer.publish(event)
        producer.flush()

    def measure(self, program: str | Path, *arguments: object) -> dict[str, float]:
        """Run a Python program and return the JSON of its last line; a name without folder is one of the parts.

        Raises
        ------
        HeadraceError
            When it fails.
        """
        command = [sys.executable, str(_PARTS / program), *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment(), cwd=ROOT)
        if done.returncode:
            raise HeadraceError(f"{program} ended with status {done.returncode}: {done.stderr.strip()[-2000:]}")
        result: dict[str, float] = orjson.loads(done.stdout.strip().splitlines()[-1])
        return result


@contextmanager
def temporary_place(partitions: int | None = None) -> Iterator[Place]:
    """Start a broker and a store with all topics in a temporary directory, and remove them after the block."""
    with TemporaryDirectory(prefix="headrace-benchmark-") as folder:
        settings = Settings(data=folder)
        with LocalServices(settings) as found:
            ensure_topics(found)
            admin = AdminClient({"bootstrap.servers": found.kafka.bootstrap})
            topic = NewTopic(CONTROL_TOPIC, found.kafka.partitions, 1)
            admin.create_topics([topic])[CONTROL_TOPIC].result(10)
            yield Place(found)


def environment() -> dict[str, str]:
    """Return the environment for programs: without settings of the caller's own."""
    return {name: value for name, value in os.environ.items() if name != "HEADRACE_CONFIG"} | {
        "PYTHONPATH": os.pathsep.join((str(ROOT), str(_PARTS.parent)))
    }


def with_linger(settings: Settings, linger_ms: int) -> Settings:
    """Return settings whose producers wait so long for fuller batches, in ms."""
    kafka = msgspec.structs.replace(settings.kafka, client={**settings.kafka.client, "linger.ms": str(linger_ms)})
    return msgspec.structs.replace(settings, kafka=kafka)
