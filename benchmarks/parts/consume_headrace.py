"""Messages per second through our consumer to an agent that decodes and groups by user, and does no more.

Prints one JSON line. Arguments: broker, topic, number of messages.
"""

from __future__ import annotations

import asyncio
import sys
import time
from collections.abc import Mapping
from typing import Any
from uuid import uuid4

import faust
import orjson
from faust.app.base import BootStrategy

from infra.settings import Worker
from parts.body import Body
from streams.consumer import GroupConsumer, Partition
from streams.records import Records


class _OwnConsumer(BootStrategy):  # type: ignore[misc]
    """Agents run; Faust's own consumer, producer and web server do not, as in the worker."""

    enable_kafka_consumer = False
    enable_kafka_producer = False
    enable_web = False


class _App(faust.App):  # type: ignore[misc]
    BootStrategy = _OwnConsumer


class _Nobody:
    """Owns partitions without keeping anything of them."""

    def take(self, partitions: list[Partition], committed: Mapping[Partition, int]) -> dict[Partition, int]:
        """Read from the beginning."""
        return {}

    async def release(self) -> dict[Partition, int]:
        """Have nothing committed."""
        return {}


async def _main(broker: str, topic: str, messages: int) -> None:
    name, work = f"consume-{uuid4().hex}", Worker()
    app = _App(name, broker=f"kafka://{broker}", topic_disable_leader=True, stream_wait_empty=False)
    channel = app.channel(maxsize=work.window + 1)
    body, finished = Body(messages), asyncio.Event()
    began = 0.0

    @app.agent(channel)  # type: ignore[untyped-decorator]
    async def agent(stream: faust.StreamT[Records]) -> None:
        nonlocal began
        async for records in stream:
            began = began or time.perf_counter()
            body.users.clear()
            for message in records.messages:
                body.take(message.value(), message.key(), message.timestamp()[1])
            records.done()
            if body.done:
                finished.set()

    def crash(error: BaseException) -> None:
        raise SystemExit(f"the consumer has ended: {error!r}")

    consumer = GroupConsumer(
        {topic: channel},
        _Nobody(),
        {"bootstrap.servers": broker, "group.id": name},
        batch=work.batch,
        window=work.window,
        linger_s=work.linger_ms / 1000,
        crash=crash,
    )
    await app.start()
    app.flow_control.resume()
    await consumer.start()
    await finished.wait()
    seconds = time.perf_counter() - began
    print(_line(body.taken, seconds), flush=True)
    await consumer.stop()
    await app.stop()


def _line(messages: int, seconds: float) -> str:
    figures: dict[str, Any] = {"messages": messages, "seconds": round(seconds, 3)}
    return orjson.dumps(figures | {"messages_per_second": round(messages / seconds)}).decode()


if __name__ == "__main__":
    asyncio.run(_main(sys.argv[1], sys.argv[2], int(sys.argv[3])))
