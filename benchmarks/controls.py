"""What this machine can do with the same broker, store and clients, and nothing of ours between them.

Two loops, each a lower bound of work that no worker can go below: ``limit`` reads a topic, decodes every event and sets
a value of a list's size under its user; ``freshness`` does the same with events that it produces at a steady rate and
says how long each took. A figure of the worker means something only beside them. One JSON line is printed.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from uuid import uuid4

import click
import confluent_kafka as ck
import msgspec
import orjson
import redis

_ASSIGNED_S = 30.0
_SETTLED_S = 1.0  # between the assignment and the first event: the fetcher must be under way
_LATE_S = 20.0  # so long after the last event is its value waited for
_SLEEP_S = 0.0005
_POOL = 1000  # users and items of the steady stream
_VALUES = 997  # different keys that it writes


class Event(msgspec.Struct):
    """What is read of an event."""

    user: str
    item: str
    time: float = 0.0
    run: str = ""


@dataclass
class Machine:
    """A consumer of one topic and a store.

    Parameters
    ----------
    bootstrap, url, topic : str
    size : int
        Bytes of each value written.
    """

    bootstrap: str
    url: str
    topic: str
    size: int

    def __post_init__(self) -> None:
        self.run = uuid4().hex
        self.assigned = threading.Event()
        self._decode = msgspec.json.Decoder(Event, strict=False).decode
        self._store = redis.Redis.from_url(self.url)
        self._value = bytes(self.size)

    def consumer(self, start: str, **properties: object) -> ck.Consumer:
        """Return a consumer in a group of its own; ``start`` is ``earliest`` or ``latest``."""
        consumer = ck.Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": f"control-{self.run}",
                "auto.offset.reset": start,
                "enable.auto.commit": False,
                "fetch.queue.backoff.ms": 10,
                **properties,
            }
        )
        consumer.subscribe([self.topic], on_assign=lambda *_: self.assigned.set())
        return consumer

    def decoded(self, messages: list[ck.Message]) -> list[Event]:
        """Decode those messages that are none of the client's errors."""
        return [self._decode(message.value()) for message in messages if not message.error()]

    def write(self, names: Iterator[object]) -> None:
        """Set the value under all names, in one round trip."""
        pipeline = self._store.pipeline(transaction=False)
        for name in names:
            pipeline.set(f"control:{name}", self._value)
        pipeline.execute()


@click.group()
def main() -> None:
    """Measure what this machine can do without a recommender."""


def _common(command: Callable[..., None]) -> Callable[..., None]:
    for option in (
        click.option("--bytes", "size", type=int, default=1600, show_default=True, help="Size of a value."),
        click.option("--events", type=int, required=True),
        click.option("--topic", required=True),
        click.option("--redis", "url", required=True),
        click.option("--bootstrap", required=True),
    ):
        command = option(command)
    return command


@main.command()
@_common
def limit(bootstrap: str, url: str, topic: str, events: int, size: int) -> None:
    """Consume, decode and set a value per event: events per second."""
    machine = Machine(bootstrap, url, topic, size)
    consumer = machine.consumer("earliest", **{"queued.max.messages.kbytes": 16384})
    done, begin = 0, 0.0
    while done < events:
        messages = consumer.consume(500, 0.2)
        begin = begin or (time.perf_counter() if messages else 0.0)
        read = machine.decoded(messages)
        if read:
            machine.write(event.user for event in read)
            done += len(read)
    seconds = time.perf_counter() - begin
    consumer.close()
    _say(events=done, seconds=round(seconds, 3), events_per_second=round(done / seconds))


@main.command()
@click.option("--rate", type=int, default=1000, show_default=True, help="Events per second.")
@_common
def freshness(bootstrap: str, url: str, topic: str, events: int, size: int, rate: int) -> None:
    """Produce at a steady rate, consume and set: percentiles of the time between the two, in ms."""
    machine = Machine(bootstrap, url, topic, size)
    ages: list[float] = []
    reader = threading.Thread(target=_follow, args=(machine, events, ages), daemon=True)
    reader.start()
    machine.assigned.wait(_ASSIGNED_S)
    time.sleep(_SETTLED_S)
    _produce(machine, events, rate)
    reader.join(_LATE_S)
    ages.sort()
    _say(
        events=len(ages),
        p50_ms=round(ages[len(ages) // 2], 1),
        p99_ms=round(ages[int(len(ages) * 0.99)], 1),
    )


def _follow(machine: Machine, events: int, ages: list[float]) -> None:
    consumer = machine.consumer("latest", **{"fetch.wait.max.ms": 100})
    while len(ages) < events:
        first = consumer.poll(0.1)
        if first is None:
            continue
        read = machine.decoded([first, *consumer.consume(1000, 0.0)])
        sent = [event.time for event in read if event.run == machine.run]
        if sent:
            machine.write(int(stamp) % _VALUES for stamp in sent)
            now = time.time() * 1000
            ages.extend(now - stamp for stamp in sent)
    consumer.close()


def _produce(machine: Machine, events: int, rate: int) -> None:
    producer = ck.Producer({"bootstrap.servers": machine.bootstrap, "linger.ms": 1, "partitioner": "murmur2_random"})
    begin = time.perf_counter()
    for number in range(events):
        while time.perf_counter() < begin + number / rate:
            time.sleep(_SLEEP_S)
        name = str(number % _POOL)
        event = Event(user=name, item=name, time=time.time() * 1000, run=machine.run)
        producer.produce(machine.topic, key=name, value=msgspec.json.encode(event))
        producer.poll(0)
    producer.flush()


def _say(**figures: float) -> None:
    click.echo(orjson.dumps(figures))


if __name__ == "__main__":
    main()
