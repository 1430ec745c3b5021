"""The group consumer: whole batches of records go through Faust channels to ordinary agents.

Faust's own consumer spends 200 µs of a core on each message. This one owns a librdkafka consumer in one thread and
hands over what a poll brought in one piece. The thread makes all Kafka calls: a ``Consumer`` method called from the
event loop deadlocks against a rebalance callback. Backpressure is a window of batches whose lists are not written yet.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

import confluent_kafka as ck
import mode

from infra.errors import BrokerError
from streams import failpoints
from streams.records import Records, by_topic, merged

Partition = tuple[str, int]

# How long a revoke or a stop may wait for batches in flight; far below max.poll.interval.ms (5 minutes).
_DRAIN_S = 30.0
# Small fetches keep the partitions abreast of each other when a whole history is read.
_FETCH_BYTES = 65_536


class Owner(Protocol):
    """What the consumer asks of the worker; called in the consumer's thread, so it must be thread-safe."""

    def take(self, partitions: list[Partition], committed: Mapping[Partition, int]) -> dict[Partition, int]:
        """Become the owner of partitions; return from which offsets to read."""

    def release(self) -> Coroutine[Any, Any, dict[Partition, int]]:
        """Make everything applied durable and let go of it; return the offsets to commit. Runs in the event loop."""

    def lose(self) -> Coroutine[Any, Any, None]:
        """Forget everything that is not durable. Runs in the event loop."""


class GroupConsumer(mode.Service):
    """Reads the user-keyed topics as a member of a consumer group.

    Parameters
    ----------
    topics : mapping of str to faust.Channel
        Full topic name → where its batches go.
    owner : Owner
        Told of partitions that come and go.
    conf : mapping
        librdkafka properties: at least ``bootstrap.servers`` and ``group.id``.
    batch : int
        Records handed over at once, at most.
    window : int
        Batches in flight, at most; then the partitions pause.
    linger_s : float
        How long to wait for a fuller batch.
    crash : callable
        Told of an exception in the thread: the process must end.
    """

    def __init__(
        self,
        topics: Mapping[str, Any],
        owner: Owner,
        conf: Mapping[str, Any],
        *,
        batch: int,
        window: int,
        linger_s: float,
        crash: Callable[[BaseException], None],
    ) -> None:
        super().__init__()
        self._channels, self._owner, self._crash = topics, owner, crash
        self._batch, self._window, self._linger_s = batch, window, linger_s
        self._conf = {
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            # Equal partition numbers of all topics go to one member: a user's clicks and ratings stay together.
            "partition.assignment.strategy": "range",
            # The default of 1000 halves the throughput.
            "fetch.queue.backoff.ms": 10,
            "fetch.wait.max.ms": 100,
            "max.partition.fetch.bytes": _FETCH_BYTES,
            "queued.max.messages.kbytes": 16384,
            "reconnect.backoff.max.ms": 1000,
            "error_cb": self._on_error,
            "on_commit": self._on_commit,
            **conf,
        }
        self._lock = threading.Condition()
        self._in_flight = 0
        self._to_commit: dict[Partition, int] = {}
        self._stopping = False
        self.generation = 0
        self.assigned: frozenset[Partition] = frozenset()
        self.lag = 0

    async def on_start(self) -> None:
        """Start the thread."""
        self._loop = asyncio.get_running_loop()
        self._thread = threading.Thread(target=self._run, name="group-consumer", daemon=True)
        self._thread.start()

    async def on_stop(self) -> None:
        """End the thread, after what is in flight is done."""
        with self._lock:
            self._stopping = True
            self._lock.notify_all()
        await self._loop.run_in_executor(None, self._thread.join, _DRAIN_S + 10)

    @property
    def in_flight(self) -> int:
        """Batches handed over that are not done."""
        return self._in_flight

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Have these offsets committed soon; for offsets whose events are durable. Callable from any thread."""
        with self._lock:
            self._to_commit.update(offsets)
            self._lock.notify_all()

    def _run(self) -> None:
        consumer = None
        try:
            consumer = ck.Consumer(self._conf)
            consumer.subscribe(
                list(self._channels), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
            )
            while not self._stopping:
                self._turn(consumer)
            self._let_go(consumer)
        except BaseException as error:
            self._crash(error)
        finally:
            if consumer is not None:
                consumer.close()  # leaves the group: the others take over at once

    def _turn(self, consumer: ck.Consumer) -> None:
        self._commit_now(consumer, asynchronous=True)
        with self._lock:
            has_room = self._lock.wait_for(lambda: self._in_flight < self._window or self._stopping, 0.5)
        if not has_room:
            # Slow agents: go on serving rebalances, fetch nothing.
            consumer.pause(consumer.assignment())
            while not self._stopping and self._in_flight >= self._window:
                consumer.poll(0.05)
                self._commit_now(consumer, asynchronous=True)
            consumer.resume(consumer.assignment())
            return
        # consume(n, t) alone would always wait the whole t when fewer than n are there.
        first = consumer.poll(0.1)
        if first is not None:
            self._hand_over([first, *consumer.consume(self._batch - 1, self._linger_s)])
        self._measure_lag(consumer)

    def _hand_over(self, messages: list[ck.Message]) -> None:
        good = []
        for message in messages:
            error = message.error()
            if error is None:
                good.append(message)
            elif error.fatal():
                raise BrokerError(f"the consumer cannot go on: {error.str()}")
            else:
                self.log.warning("kafka: %s", error.str())
        for topic, partitions in by_topic(good).items():
            stretches = {number: (part[0].offset(), part[-1].offset()) for number, part in partitions.items()}
            records = Records(topic, merged(partitions), stretches, self._still(self.generation), self._done)
            with self._lock:
                self._in_flight += 1
            asyncio.run_coroutine_threadsafe(self._channels[topic].put(records), self._loop)

    def _still(self, generation: int) -> Callable[[], bool]:
        return lambda: self.generation == generation

    def _done(self) -> None:
        with self._lock:
            self._in_flight -= 1
            self._lock.notify_all()

    def _commit_now(self, consumer: ck.Consumer, *, asynchronous: bool) -> None:
        with self._lock:
            offsets, self._to_commit = self._to_commit, {}
        parts = [ck.TopicPartition(*place, offset) for place, offset in offsets.items() if place in self.assigned]
        if parts:
            try:
                failpoints.before("commit")
                consumer.commit(offsets=parts, asynchronous=asynchronous)
                failpoints.after("commit")
            except ck.KafkaException as error:
                self._on_commit(error, parts)

    def _on_commit(self, error: Any, parts: list[ck.TopicPartition]) -> None:
        if error:
            self.log.warning("kafka: commit: %s", error)
            with self._lock:
                for part in parts:  # tried again, unless there is a newer one by then
                    self._to_commit.setdefault((part.topic, part.partition), part.offset)

    def _on_assign(self, consumer: ck.Consumer, parts: list[ck.TopicPartition]) -> None:
        committed = {
            (part.topic, part.partition): part.offset
            for part in consumer.committed(parts, timeout=30)
            if part.offset >= 0
        }
        places = [(part.topic, part.partition) for part in parts]
        starts = self._owner.take(places, committed)
        self.generation += 1
        self.assigned = frozenset(places)
        for part in parts:
            part.offset = starts.get((part.topic, part.partition), ck.OFFSET_BEGINNING)
        consumer.assign(parts)

    def _on_revoke(self, consumer: ck.Consumer, _: list[ck.TopicPartition]) -> None:
        self._let_go(consumer)

    def _on_lost(self, _consumer: ck.Consumer, _: list[ck.TopicPartition]) -> None:
        # Others may own them already: what is in flight or unsaved here must not be written.
        # Forgotten, then; whoever owns them next, perhaps this worker again, goes on from what is durable.
        self.log.warning("kafka: thrown out of the group; going on from what is durable")
        self.generation += 1
        self.assigned = frozenset()
        asyncio.run_coroutine_threadsafe(self._owner.lose(), self._loop).result(_DRAIN_S)

    def _let_go(self, consumer: ck.Consumer) -> None:
        """Finish what is in flight, make it durable, commit it."""
        if not self.assigned:
            return
        with self._lock:
            self._lock.wait_for(lambda: self._in_flight == 0, _DRAIN_S)
        release = asyncio.run_coroutine_threadsafe(self._owner.release(), self._loop)
        self.commit(release.result(_DRAIN_S))
        self._commit_now(consumer, asynchronous=False)
        self.generation += 1
        self.assigned = frozenset()

    def _measure_lag(self, consumer: ck.Consumer) -> None:
        now = time.monotonic()
        if now < getattr(self, "_next_lag", 0.0):
            return
        self._next_lag = now + 0.5
        lag = 0
        for position in consumer.position(consumer.assignment()):
            _, high = consumer.get_watermark_offsets(position, cached=True)
            if high > 0 and position.offset >= 0:
                lag += high - position.offset
        self.lag = lag

    def _on_error(self, error: ck.KafkaError) -> None:
        self.log.warning("kafka: %s", error.str())
