"""Where a benchmark runs: a broker and a store of its own, and how programs are started beside them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import orjson
from confluent_kafka.admin import AdminClient, NewTopic

from contracts.events import Event, encode
from contracts.topics import CLICKS, topic_name
from infra.errors import HeadraceError
from infra.local import LocalServices
from infra.settings import Kafka, Settings
from streams.kafka.admin import ensure_topics
from streams.kafka.producer import EventProducer, key_of

ROOT = Path(__file__).resolve().parents[2]
FRESHNESS_TOPIC = "freshness"
"""Of the control of freshness alone."""
PLAIN_TOPIC = "plain"
"""Events without compression, because Faust's own client does not bring zstandard along."""
_TIMEOUT_S = 300.0


class Place:
    """A broker and a store, with Headrace's topics and the two above.

    Parameters
    ----------
    settings : Settings
        With the addresses filled in.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.bootstrap, self.url = settings.kafka.bootstrap, settings.redis.url
        self.clicks = topic_name(CLICKS, settings.kafka.prefix, settings.namespace)

    def publish(self, events: Iterable[Event]) -> None:
        """Publish events as fast as Kafka takes them; all are acknowledged on return."""
        producer = EventProducer(self.settings)
        for event in events:
            producer.publish(event)
        producer.flush()

    def publish_plain(self, events: Iterable[Event]) -> None:
        """Publish events to :data:`PLAIN_TOPIC`."""
        plain = Kafka(bootstrap=self.bootstrap, client={"compression.type": "none"})
        producer = EventProducer(Settings(kafka=plain))
        for event in events:
            producer.send(PLAIN_TOPIC, key_of(event), encode(event))
        producer.flush()


@contextmanager
def temporary_place() -> Iterator[Place]:
    """Start a broker and a store with all topics in a temporary directory, and remove them after the block."""
    # Without this a SIGTERM would leave behind what the block has started.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    with (
        TemporaryDirectory(prefix="headrace-benchmark-") as folder,
        LocalServices(Settings(home=folder)) as settings,
    ):
        ensure_topics(settings)
        admin = AdminClient({"bootstrap.servers": settings.kafka.bootstrap, "log_level": 0})
        topics = [NewTopic(name, settings.kafka.partitions, 1) for name in (FRESHNESS_TOPIC, PLAIN_TOPIC)]
        for created in admin.create_topics(topics).values():
            created.result(10)
        yield Place(settings)


def figures_of(*arguments: object, timeout: float = _TIMEOUT_S, **variables: str) -> dict[str, Any]:
    """Run Python with these arguments, a file or ``-m`` and a module of ours; return the JSON of its last line.

    ``variables`` are added to its environment.

    Raises
    ------
    HeadraceError
        When it fails, or takes longer than ``timeout`` seconds.
    """
    command = [sys.executable, *map(str, arguments)]
    name = " ".join(command[1:3])
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment() | variables, cwd=ROOT, timeout=timeout
        )
    except subprocess.TimeoutExpired as error:
        raise HeadraceError(f"{name} did not end within {timeout:.0f} s") from error
    if done.returncode:
        raise HeadraceError(f"{name} ended with status {done.returncode}: {done.stderr.strip()[-2000:]}")
    figures: dict[str, Any] = orjson.loads(done.stdout.strip().splitlines()[-1])
    return figures


def environment() -> dict[str, str]:
    """Return the environment for programs: without settings of the caller's own."""
    return {name: value for name, value in os.environ.items() if name != "HEADRACE_CONFIG"}
