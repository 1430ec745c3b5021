"""Reads a topic whole, without a group: from given offsets to its end, and then on as it grows."""

from __future__ import annotations

import asyncio
import math
import threading
from collections.abc import Callable, Mapping
from typing import Any

import confluent_kafka as ck
import mode

from infra.errors import BrokerError
from infra.seldom import Seldom


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

    Attributes
    ----------
    caught_up : asyncio.Event
        Set once everything was delivered that stood there at :meth:`begin`.
    delivered : int
        Messages so far.
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
        self.topic, self._deliver, self._tell_crash, self._batch = topic, deliver, crash, batch
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
        self._behind: dict[int, int] = {}  # partitions that have not been read up to the end they had at first
        self.caught_up = asyncio.Event()
        self.delivered = 0

    def begin(self, bounds: Mapping[int, tuple[int, int]]) -> None:
        """Start to read.

        Parameters
        ----------
        bounds : mapping
            Partition → the offset to read from, and where the partition ends now: once everything below was delivered,
            :attr:`caught_up` is set. Asked for beforehand because Kafka keeps who asks for what lies behind waiting.
        """
        self._loop = asyncio.get_running_loop()
        self._behind = {number: end for number, (begin, end) in bounds.items() if begin < end}
        if not self._behind:
            self.caught_up.set()
        offsets = {number: begin for number, (begin, _) in bounds.items()}
        self._thread = threading.Thread(target=self._run, args=(offsets,), name=f"read {self.topic}", daemon=True)
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
            consumer.assign([ck.TopicPartition(self.topic, number, offset) for number, offset in offsets.items()])
            while not self._stopping:
                first = consumer.poll(0.1)
                if first is not None:
                    self._take([first, *consumer.consume(self._batch - 1, 0.0)])
        except BaseException as error:
            self._tell_crash(error)
        finally:
            if consumer is not None:
                consumer.close()

    def _take(self, messages: list[ck.Message]) -> None:
        good, behind = [], bool(self._behind)
        for message in messages:
            error = message.error()
            if error is None:
                good.append(message)
                if message.offset() + 1 >= self._behind.get(message.partition(), math.inf):
                    del self._behind[message.partition()]
            elif error.code() == ck.KafkaError._PARTITION_EOF:
                # What stood last may be gone: compacted, or too old.
                self._behind.pop(message.partition(), None)
            elif error.fatal() or error.code() == ck.KafkaError._AUTO_OFFSET_RESET:
                raise BrokerError(f"cannot go on reading {self.topic}: {error.str()}; rebuild with `headrace replay`")
            else:
                self.log.warning("kafka: %s", error.str())
        if good:
            while not self._room.acquire(timeout=0.5):
                if self._stopping:
                    return
            self._loop.call_soon_threadsafe(self._hand_over, good)
        if behind and not self._behind:
            self._loop.call_soon_threadsafe(self.caught_up.set)

    def _hand_over(self, messages: list[ck.Message]) -> None:
        self._room.release()
        self.delivered += len(messages)
        try:
            self._deliver(messages)
        except BaseException as error:
            self._tell_crash(error)
            raise
