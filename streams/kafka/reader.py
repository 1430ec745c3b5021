"""Reads a topic whole, without a group: from given offsets to its end, and then on as it grows."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from typing import Any

import confluent_kafka as ck
import mode

from infra.errors import BrokerError
from infra.seldom import Seldom
from streams.kafka.whole import bounds


class TopicReader(mode.Service):
    """Reads all partitions of one topic, assigned by hand, in a thread of its own.

    Parameters
    ----------
    topic : str
        Full name.
    conf : mapping
        librdkafka properties: at least ``bootstrap.servers``.
    deliver : callable
        Gets each batch of messages, in the event loop.
    crash : callable
        Told of an exception in the thread: the process must end.
    batch : int
        Records delivered at once, at most.
    window : int
        Batches not yet taken by the event loop, at most.
    """

    def __init__(
        self,
        topic: str,
        conf: Mapping[str, Any],
        deliver: Callable[[list[ck.Message]], None],
        crash: Callable[[BaseException], None],
        *,
        batch: int = 1000,
        window: int = 4,
    ) -> None:
        super().__init__()
        self._topic, self._deliver, self._crash, self._batch = topic, deliver, crash, batch
        seldom = Seldom(self.log.warning)
        self._conf = {
            "group.id": "headrace-reader",  # librdkafka wants a name; without subscription and commit nothing uses it
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "fetch.queue.backoff.ms": 10,
            "fetch.wait.max.ms": 100,
            "queued.max.messages.kbytes": 16384,
            "reconnect.backoff.max.ms": 1000,
            "error_cb": lambda error: seldom.tell(f"kafka: {error.str()}"),
            **conf,
        }
        self._room = threading.BoundedSemaphore(window)
        self._stopping = False
        self._at_end: set[int] = set()
        self.caught_up = asyncio.Event()

    def bounds(self) -> dict[int, tuple[int, int]]:
        """Return the first and the next offset of each partition, as the broker has them now."""
        consumer = ck.Consumer(self._conf)
        try:
            topics = consumer.list_topics(self._topic, timeout=30).topics
            if topics[self._topic].error is not None:
                raise BrokerError(f"topic {self._topic!r} is missing; create it with `headrace topics`")
            return {
                number: bounds(consumer, ck.TopicPartition(self._topic, number))
                for number in topics[self._topic].partitions
            }
        finally:
            consumer.close()

    def begin(self, offsets: Mapping[int, int]) -> None:
        """Start to read, from these offsets of each partition; :attr:`caught_up` is set once the end was reached."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, args=(offsets,), name=f"read {self._topic}", daemon=True)
        self._thread.start()

    async def on_stop(self) -> None:
        """End the thread."""
        self._stopping = True
        if hasattr(self, "_thread"):
            await self._loop.run_in_executor(None, self._thread.join, 10)

    def _run(self, offsets: Mapping[int, int]) -> None:
        consumer = None
        try:
            consumer = ck.Consumer(self._conf)
            consumer.assign([ck.TopicPartition(self._topic, number, offset) for number, offset in offsets.items()])
            while not self._stopping:
                first = consumer.poll(0.1)
                if first is not None:
                    self._take([first, *consumer.consume(self._batch - 1, 0.0)], len(offsets))
        except BaseException as error:
            self._crash(error)
        finally:
            if consumer is not None:
                consumer.close()

    def _take(self, messages: list[ck.Message], partitions: int) -> None:
        good = []
        for message in messages:
            error = message.error()
            if error is None:
                good.append(message)
            elif error.code() == ck.KafkaError._PARTITION_EOF:
                self._at_end.add(message.partition())
            elif error.fatal() or error.code() == ck.KafkaError._AUTO_OFFSET_RESET:
                raise BrokerError(f"cannot go on reading {self._topic}: {error.str()}; rebuild with `headrace replay`")
            else:
                self.log.warning("kafka: %s", error.str())
        if good:
            while not self._room.acquire(timeout=0.5):
                if self._stopping:
                    return
            self._loop.call_soon_threadsafe(self._hand_over, good)
        if len(self._at_end) == partitions:
            self._loop.call_soon_threadsafe(self.caught_up.set)

    def _hand_over(self, messages: list[ck.Message]) -> None:
        self._room.release()
        try:
            self._deliver(messages)
        except BaseException as error:
            self._crash(error)
            raise
