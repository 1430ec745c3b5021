"""Messages per second through our consumer to an agent that decodes and groups by user, and does no more.

Arguments: broker, topic, number of messages. Prints one JSON line.
"""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Mapping
from uuid import uuid4

import faust
from faust.app.base import BootStrategy

from benchmarks.parts.body import Body
from infra.settings import Kafka, Settings, Worker
from streams.consuming.consumer import GroupConsumer
from streams.consuming.records import Records
from streams.consuming.sources import Partition
from streams.kafka.admin import topic_partitions


class _OwnConsumer(BootStrategy):
    """Agents run; Faust's own consumer, producer and web server do not, as in the worker."""

    enable_kafka_consumer = False
    enable_kafka_producer = False
    enable_web = False


class _App(faust.App):
    BootStrategy = _OwnConsumer


class _Nobody:
    """Owns partitions without keeping anything of them: they are read from the beginning, and nothing is committed."""

    def take(self, partitions: list[Partition], committed: Mapping[Partition, int]) -> dict[Partition, int]:
        return {}

    async def release(self, numbers: frozenset[int]) -> dict[Partition, int]:
        return {}

    async def lose(self, numbers: frozenset[int]) -> None:
        pass


async def _main(broker: str, topic: str, messages: int) -> None:
    name, work = f"consume-{uuid4().hex}", Worker()
    app = _App(name, broker=f"kafka://{broker}", topic_disable_leader=True, stream_wait_empty=False)
    channel = app.channel(maxsize=work.window + 1)
    partitions = topic_partitions(Settings(kafka=Kafka(bootstrap=broker)), [topic])[topic]
    body, finished = Body(messages), asyncio.Event()

    async def agent(stream: faust.StreamT[Records]) -> None:
        async for records in stream:
            for message in records.messages:
                body.take(message.value(), message.key(), message.timestamp()[1])
            records.done()
            if body.done:
                finished.set()

    app.agent(channel)(agent)
    consumer = GroupConsumer(
        {topic: channel},
        partitions,
        lambda: None,
        _Nobody(),
        {"bootstrap.servers": broker, "group.id": name},
        batch=work.batch,
        window=work.window,
        linger_s=work.linger_ms / 1000,
        crash=lambda error: sys.exit(f"the consumer has ended: {error!r}"),
    )
    await app.start()
    app.flow_control.resume()
    await consumer.start()
    await finished.wait()
    body.report()
    await consumer.stop()
    await app.stop()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
