"""The group consumer: whole batches of records go through Faust channels to ordinary agents.

Faust's own consumer spends 200 µs of a core on each message. This one owns a librdkafka consumer in one thread and
hands over what a poll brought in one piece. The thread makes all Kafka calls: a ``Consumer`` method called from the
event loop deadlocks against a rebalance callback. Backpressure is a window of batches whose lists are not written yet.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import confluent_kafka as ck
import mode

from infra import failpoints
from infra.errors import BrokerError
from infra.seldom import Seldom
from streams.consuming.gathered import Gathered
from streams.consuming.membership import DRAIN_S, Membership, Owner
from streams.consuming.tenure import Partition, Tenures

ABREAST = 2
"""So many batches are in flight before the next is filled instead of handed over: one is applied, one written."""
# Small fetches keep the partitions abreast of each other when a whole history is read.
_FETCH_BYTES = 65_536
_POLL_S, _ROOM_S = 0.1, 0.02  # rebalances are served at least so often
_LOOK_AT_LAG_S = 0.5
_LOOK_AT_TOPICS_S = 10.0


class GroupConsumer(mode.Service):
    """Reads the user-keyed topics as a member of a consumer group.

    Parameters
    ----------
    topics : mapping of str to faust.Channel
        Full topic name → where its batches go.
    partitions : int
        Of each topic; another number later is an error.
    what_changed : callable
        Blocks, and says why these are not the topics any more that they were, None where they are; or raises a
        ``BrokerError``. Not the consumer's to ask: its connection answers in order, and what new events are fetched by
        waits for them; nor does it notice a topic that was created again with as many records as it has read.
    owner : Owner
        Told of partitions that come and go.
    conf : mapping
        librdkafka properties: at least ``bootstrap.servers`` and those of
        :func:`streams.consuming.membership.group_properties`.
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
        partitions: int,
        what_changed: Callable[[], str | None],
        owner: Owner,
        conf: Mapping[str, Any],
        *,
        batch: int,
        window: int,
        linger_s: float,
        crash: Callable[[BaseException], None],
    ) -> None:
        super().__init__()
        self._channels, self._partitions, self._what_changed, self._owner = topics, partitions, what_changed, owner
        self._tell_crash = crash
        self._batch, self._window, self._linger_s = batch, window, linger_s
        self._conf = {
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
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
        self._seldom = Seldom(self.log.warning)
        self._in_flight = 0
        self._to_commit: dict[Partition, int] = {}
        self._stopping = False
        self._rejoining = False
        self._committing = False
        self._lag_due = 0.0
        self._tenures = Tenures(topics)
        self._gathered = Gathered(self._tenures, self._done)
        self.lags: dict[Partition, int] = {}
        self.rejoined = 0

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
        await self._loop.run_in_executor(None, self._thread.join, DRAIN_S + 10)

    @mode.Service.task
    async def _look_at_topics(self) -> None:
        async for _ in self.itertimer(_LOOK_AT_TOPICS_S, name="topics"):
            try:
                changed = await asyncio.to_thread(self._what_changed)
            except BrokerError as error:
                self._seldom.tell(f"kafka: {error}")
                continue
            if changed:
                self._tell_crash(BrokerError(changed))

    @property
    def in_flight(self) -> int:
        """Batches handed over that are not done."""
        return self._in_flight

    @property
    def assigned(self) -> frozenset[Partition]:
        """The partitions at work."""
        return self._tenures.places()

    @property
    def lag(self) -> int:
        """Events that are still to be read."""
        return sum(self.lags.values())

    def commit(self, offsets: Mapping[Partition, int]) -> None:
        """Have these offsets committed soon; for offsets whose events are durable. Callable from any thread."""
        with self._lock:
            self._to_commit.update(offsets)
            self._lock.notify_all()

    def rejoin(self, numbers: Iterable[int]) -> None:
        """Let go of some partition numbers at once, and join the group anew, since it knows who owns them now.

        Callable from any thread. What was fetched of them and not applied is dropped.
        """
        self._tenures.end(numbers)
        with self._lock:
            self._rejoining = True
            self._lock.notify_all()

    @property
    def _leaving(self) -> bool:
        return self._stopping or self._rejoining

    def _run(self) -> None:
        try:
            while not self._stopping:
                self._be_member()
                self.rejoined += not self._stopping
        except BaseException as error:
            self._tell_crash(error)

    def _be_member(self) -> None:
        with self._lock:
            self._rejoining = self._committing = False
            self._to_commit.clear()  # of a membership that is over: what it did not commit may be behind by now
        self._gathered.take()  # what is left of an earlier membership is read anew
        consumer = ck.Consumer(self._conf)
        self._member = member = Membership(
            consumer, self._tenures, self._owner, self._loop, self._drain,
            partitions=self._partitions, incremental=self._conf.get("group.protocol") == "consumer",
        )  # fmt: skip
        try:
            consumer.subscribe(
                list(self._channels), on_assign=member.on_assign, on_revoke=member.on_revoke, on_lost=member.on_lost
            )
            while not self._leaving:
                self._turn(consumer)
            member.leave()
        finally:
            consumer.close()  # leaves the group; a static identity only when its session has run out

    def _turn(self, consumer: ck.Consumer) -> None:
        self._commit_now(consumer, asynchronous=True)
        if len(self._gathered) >= self._batch:
            self._hand_over_whole(consumer)
        else:
            self._gather(consumer)
        if time.monotonic() >= self._lag_due:
            self._lag_due = time.monotonic() + _LOOK_AT_LAG_S
            self.lags = self._measure_lags(consumer)

    def _gather(self, consumer: ck.Consumer) -> None:
        """Fetch what is there, and hand it over unless enough is at work already: then there will be more by then."""
        abreast = min(ABREAST, self._window)
        if self._gathered:
            has_room = self._has_room(abreast, _ROOM_S)
            self._take(consumer.consume(self._batch - len(self._gathered), 0.0))
        else:
            # consume(n, t) alone would always wait the whole t when fewer than n are there.
            first = consumer.poll(_POLL_S)
            self._take([] if first is None else [first, *consumer.consume(self._batch - 1, self._linger_s)])
            has_room = self._has_room(abreast, 0.0)
        if has_room:
            self._hand_over()

    def _hand_over_whole(self, consumer: ck.Consumer) -> None:
        if not self._has_room(self._window, 0.5):
            # Slow agents: go on serving rebalances, fetch nothing.
            consumer.pause(consumer.assignment())
            while not self._leaving and self._in_flight >= self._window:
                message = consumer.poll(0.05)  # an error, if anything: all is paused
                self._take([] if message is None else [message])
                self._commit_now(consumer, asynchronous=True)
            consumer.resume(self._at_work(consumer))
        self._hand_over()

    def _has_room(self, batches: int, wait_s: float) -> bool:
        """Wait until fewer batches than that are in flight."""
        with self._lock:
            return self._lock.wait_for(lambda: self._in_flight < batches or self._leaving, wait_s)

    def _take(self, messages: list[ck.Message]) -> None:
        good = []
        for message in messages:
            error = message.error()
            if error is None:
                good.append(message)
            elif _is_fatal(error):
                raise _fatal(error)
            else:
                self.log.warning("kafka: %s", error.str())
        self._gathered.add(good)
        self._member.begin()

    def _hand_over(self) -> None:
        for records in self._gathered.take():
            with self._lock:
                self._in_flight += 1
            asyncio.run_coroutine_threadsafe(self._channels[records.topic].put(records), self._loop)

    def _done(self) -> None:
        with self._lock:
            self._in_flight -= 1
            self._lock.notify_all()

    def _drain(self, consumer: ck.Consumer, release: Callable[[], Mapping[Partition, int]]) -> None:
        """Finish what is in flight, let the owner make it durable, commit it."""
        with self._lock:
            self._lock.wait_for(lambda: self._in_flight == 0, DRAIN_S)
        self.commit(release())
        self._commit_now(consumer, asynchronous=False)

    def _commit_now(self, consumer: ck.Consumer, *, asynchronous: bool) -> None:
        with self._lock:
            if asynchronous and self._committing:
                # One at a time: while Kafka is away they would pile up, and be sent by whom the group no longer knows.
                return
            offsets, self._to_commit = self._to_commit, {}
        assigned = self.assigned
        parts = [ck.TopicPartition(*place, offset) for place, offset in offsets.items() if place in assigned]
        if parts:
            try:
                self._committing = asynchronous
                failpoints.before("commit")
                consumer.commit(offsets=parts, asynchronous=asynchronous)
                failpoints.after("commit")
            except ck.KafkaException as error:
                self._on_commit(error, parts)

    def _on_commit(self, error: Any, parts: list[ck.TopicPartition]) -> None:
        self._committing = False
        if error:
            self._seldom.tell(f"kafka: commit: {error}")
            with self._lock:
                for part in parts:  # tried again, unless there is a newer one by then
                    self._to_commit.setdefault((part.topic, part.partition), part.offset)

    def _at_work(self, consumer: ck.Consumer) -> list[ck.TopicPartition]:
        assigned = self.assigned
        return [part for part in consumer.assignment() if (part.topic, part.partition) in assigned]

    def _measure_lags(self, consumer: ck.Consumer) -> dict[Partition, int]:
        lags = {}
        for position in consumer.position(self._at_work(consumer)):
            _, high = consumer.get_watermark_offsets(position, cached=True)
            if high > 0 and position.offset >= 0:
                lags[position.topic, position.partition] = high - position.offset
        return lags

    def _on_error(self, error: ck.KafkaError) -> None:
        if _is_fatal(error):
            self._tell_crash(_fatal(error))
        self._seldom.tell(f"kafka: {error.str()}")


def _is_fatal(error: ck.KafkaError) -> bool:
    # The client may say so in words only: the error has the code of the cause then, and no mark.
    return bool(error.fatal() or error.str().startswith("Fatal error"))


def _fatal(error: ck.KafkaError) -> BrokerError:
    return BrokerError(f"the consumer cannot go on: {error.str()}")
