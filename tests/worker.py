"""A real worker process for tests, and what one may ask of it."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import orjson
from confluent_kafka import Consumer, Producer, TopicPartition

from contracts.redis import Keys
from contracts.topics import CLICKS, ITEMS, RATINGS, REKEYED, Topic, topic_name
from infra.failpoints import VARIABLE
from infra.redis import connect
from infra.settings import Settings
from streams.kafka.admin import ensure_topics
from streams.kafka.producer import EventProducer
from streams.kafka.whole import bounds
from tests.processes import forked, started

TIMEOUT_S = 60.0


class Worker:
    """A ``headrace worker`` on the test's own topics and keys.

    Parameters
    ----------
    settings : Settings
    config : Path
        The settings as a file; the worker's words go beside it.
    instance : str
        Its static identity.
    as_user : bool
        Start it as a user does, which takes two seconds more.
    respawn : bool
        Let a process stay behind it.
    """

    def __init__(
        self, settings: Settings, config: Path, instance: str = "", *, as_user: bool = False, respawn: bool = False
    ) -> None:
        self.settings = settings
        self.store = connect(settings.redis.url)
        self.keys = Keys(settings.namespace, settings.redis.prefix)
        self._arguments = ["worker", "--config", str(config), *(["--instance", instance] if instance else [])]
        self._errors = config.with_name(f"worker{instance}.log")
        self._as_user, self._respawn, self._child = as_user, respawn, 0
        if respawn:
            self._arguments.append("--respawn")
        self.start()

    def start(self, failure: str = "", **environment: str) -> None:
        """Start it, to fail as ``HEADRACE_FAIL`` says, see ``infra.failpoints``, or with more in its environment."""
        launch = started if self._as_user or environment else forked  # as Python itself may read the environment
        environment |= {VARIABLE: failure} if failure else {}
        self.process = launch(self._arguments, environment, self._errors)

    @property
    def pid(self) -> int:
        """The process that works, or the last that did."""
        own = self.process.pid
        if not self._respawn:
            return own
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # ended
            self._child = int(Path(f"/proc/{own}/task/{own}/children").read_text() or self._child)
        return self._child

    def words(self) -> str:
        """What it has written to standard error since its start."""
        return self._errors.read_text("utf-8", "replace")

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> None:
        self.process.terminate()
        assert self.process.wait(TIMEOUT_S) == 0, self.words()

    def last_words(self) -> str:
        """Wait until the process ends by itself, with an error; return what it said."""
        assert self.process.wait(TIMEOUT_S) == 1
        return self.words()

    def status(self) -> dict[str, Any]:
        """What the present process says of itself, running or ended in order; empty until it does."""
        for value in self.store.hgetall(self.keys.workers).values():
            status: dict[str, Any] = orjson.loads(value)
            if status["pid"] == self.pid:
                return status
        return {}

    def wait_until_applied(self) -> dict[str, Any]:
        """Wait until everything published so far is applied, durable and learned."""
        # What is forwarded stands where it belongs once the originals are applied.
        for topics in ((CLICKS, RATINGS), REKEYED.values() if self.settings.kafka.rekey else ()):
            wanted = {place: end for topic in topics for place, end in ends(self.settings, topic).items()}
            self.wait(lambda wanted=wanted: self.applied().items() >= wanted.items())
        learning = f"{self.settings.kafka.prefix}.{self.settings.namespace}.learning"
        end = ends(self.settings, None, learning).get(f"{learning}/0", 0)
        self.wait(lambda: self.status().get("log_position", -1) >= end)
        return self.status()

    def wait_until_items(self) -> None:
        """Wait until all item records published so far are taken over."""
        wanted = ends(self.settings, ITEMS)
        self.wait(lambda: self.applied().items() >= wanted.items())

    def wait(self, reached: Callable[[], bool]) -> None:
        deadline = time.monotonic() + TIMEOUT_S
        while not reached():
            if self.process.poll() is not None:
                raise AssertionError(f"the worker ended: {self.words()[-2000:]}")
            assert time.monotonic() < deadline, f"not reached in {TIMEOUT_S} s; status {self.status()}"
            time.sleep(0.05)

    def applied(self) -> dict[str, int]:
        """Input that is durable: ``topic/partition`` → next offset."""
        found = {}
        for partition in range(self.settings.kafka.partitions):
            for topic, offset in self.store.hgetall(self.keys.applied(partition)).items():
                found[f"{topic.decode()}/{partition}"] = int(offset)
        return found

    def wait_until_listed(self, *keys: str) -> None:
        """Wait until something is on each of these lists; before there are events they may be there, and empty."""
        self.wait(lambda: all(orjson.loads(self.store.get(key) or b'{"items": []}')["items"] for key in keys))

    def wait_until_fresh(self, *users: str) -> None:
        """Wait until the lists of users are made from all that is learned so far."""
        position = str(self.wait_until_applied()["log_position"])
        self.wait(lambda: all(self.list_of(user).get("model") == position for user in users))

    def list_of(self, user: str) -> dict[str, Any]:
        """A user's list as a reader finds it."""
        value = self.store.get(self.keys.top(user))
        return orjson.loads(value) if value else {}


@contextmanager
def working(settings: Settings, more: str = "", *, as_user: bool = False) -> Iterator[Worker]:
    """Run a worker for the time of a block, with ``more`` settings in TOML, which continue the section ``[worker]``."""
    ensure_topics(settings)
    producer(settings)  # it is ready when the worker is
    worker = Worker(settings, configured(settings, 'instance = "test"\n' + more), as_user=as_user)
    try:
        yield worker
    finally:
        if worker.process.poll() is None:
            worker.kill()


@contextmanager
def working_together(
    settings: Settings, names: list[str], more: str = "", *, static: bool = True
) -> Iterator[list[Worker]]:
    """Run several workers, named for as long as they may be restarted; ``more`` continues the section ``[worker]``.

    The second is started as a user does it, so that what must be equal in both has not the same seed of ``hash()``.
    """
    ensure_topics(settings)
    config = configured(settings, more)
    workers = [Worker(settings, config, name if static else "", as_user=at == 1) for at, name in enumerate(names)]
    try:
        for worker in workers:
            worker.wait(lambda worker=worker: bool(worker.status().get("ready")))
        yield workers
    finally:
        for worker in workers:
            if worker.process.poll() is None:
                worker.kill()


def configured(settings: Settings, more: str) -> Path:
    """Write a settings file; ``more`` continues the section ``[worker]``."""
    config = settings.home_dir / "worker.toml"
    config.parent.mkdir(parents=True, exist_ok=True)
    client = "".join(f"{json.dumps(name)} = {json.dumps(value)}\n" for name, value in settings.kafka.client.items())
    config.write_text(
        f'namespace = "{settings.namespace}"\nhome = "{settings.home}"\n'
        f'[kafka]\nbootstrap = "{settings.kafka.bootstrap}"\nprefix = "{settings.kafka.prefix}"\n'
        f"partitions = {settings.kafka.partitions}\nrekey = {str(settings.kafka.rekey).lower()}\n"
        f"[kafka.client]\n{client}"
        f'[redis]\nurl = "{settings.redis.url}"\nprefix = "{settings.redis.prefix}"\n'
        f"[worker]\nbarrier_ms = 200\n{more}"
    )
    return config


def ends(settings: Settings, topic: Topic | None, name: str = "") -> dict[str, int]:
    """Where a topic ends now: ``topic/partition`` → next offset, empty partitions left out."""
    name = topic_name(topic, settings.kafka.prefix, settings.namespace) if topic else name
    consumer = Consumer(
        {**settings.kafka.client, "bootstrap.servers": settings.kafka.bootstrap, "group.id": "ends", "log_level": 0}
    )
    try:
        partitions = consumer.list_topics(name, timeout=10).topics[name].partitions
        found = {f"{name}/{number}": bounds(consumer, TopicPartition(name, number))[1] for number in partitions}
    finally:
        consumer.close()
    return {place: end for place, end in found.items() if end}


_producers: dict[bytes, EventProducer] = {}


def producer(settings: Settings) -> EventProducer:
    """The producer of the present test: a new one takes half a second until Kafka has given it an id."""
    key = msgspec.json.encode((settings.namespace, settings.kafka))
    if key not in _producers:
        forget_producer()
        _producers[key] = EventProducer(settings)
    return _producers[key]


def forget_producer() -> None:
    """Let the next event be published by a client that knows nothing of the broker that was."""
    _producers.clear()


def publish(settings: Settings, *events: Any) -> None:
    """Publish events and wait until Kafka has them."""
    kept = producer(settings)
    for event in events:
        kept.publish(event)
    kept.flush()


def raw_producer(settings: Settings) -> Producer:
    """A producer for messages that no client of ours would send."""
    return Producer({"bootstrap.servers": settings.kafka.bootstrap, "partitioner": "murmur2_random", "log_level": 0})
