"""Reads, decodes and merges the topics beside the fold: whole blocks of entries, in the replay's order, in a thread.

The consumer is assigned by hand and commits nothing, so no group notices. A partition that is far ahead of the others
is paused: what is held is bounded, whatever the partitions' lengths.
"""

from __future__ import annotations

import queue
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import confluent_kafka as ck
import numpy as np

from contracts.events import Click, Rating
from infra.errors import BrokerError
from models.attributes import features
from streams.applying.intake import decode_events, decode_users
from streams.consuming.records import Records, by_topic
from streams.forgetting.marks import Marks
from streams.replaying.merge import EVENT, USER, Entries, Merger, entries, joined
from streams.replaying.plan import BLOCK, Part

_AT_ONCE = 5000  # messages of one poll, at most
_AHEAD = 4  # blocks that wait for the fold, at most
_HELD = 400_000  # entries that wait to be merged, of all partitions together, at most
_LEAST_HELD = 2 * _AT_ONCE
_SILENCE_S = 60.0  # without a message from a broker that has some
_KINDS: dict[str, type[Click] | type[Rating]] = {"clicks": Click, "ratings": Rating}


class Source:
    """The merged stream, block by block.

    Parameters
    ----------
    parts : sequence of Part
        What is read.
    conf : mapping
        librdkafka properties: at least ``bootstrap.servers``.
    home : callable
        User → the partition that his events should lie on.
    positions, times : sequence of int
        Part by part: from which offset on, and the time of the last entry before it.
    given : sequence of Entries
        Entries of parts that are not read here but known already, in their order; those parts are done.
    marks : Marks
        Of forgotten people: what came before is left out.
    rekey : bool
        Whether events may have any key.

    Attributes
    ----------
    refused : Counter
        Reason → messages that could not be used.
    skipped : int
        Events left out because their users were forgotten after them.
    open_wishes : dict of str to int
        Partition of ``users`` → offset of the first wish to be forgotten on which no worker has acted yet.
    read : list of int
        Part by part: how many messages have been decoded.
    """

    def __init__(
        self,
        parts: Sequence[Part],
        conf: Mapping[str, Any],
        home: Callable[[str], int],
        positions: Sequence[int],
        times: Sequence[int],
        given: Sequence[Entries],
        marks: Marks,
        *,
        rekey: bool,
    ) -> None:
        self._parts, self._home, self._marks, self._rekey = parts, home, marks, rekey
        self._numbers = {(part.topic, part.partition): number for number, part in enumerate(parts)}
        self._unread = {n for n, part in enumerate(parts) if part.kind != "items" and positions[n] < part.end}
        self._from = list(positions)
        self._merger = Merger(times)
        for part in given:
            self._merger.put(part)
        for number in range(len(parts)):
            if number not in self._unread:
                self._merger.finish(number)
        self._limit = max(_LEAST_HELD, _HELD // max(1, len(self._unread)))
        self._conf = {
            "group.id": "headrace-replay",  # librdkafka wants a name; nothing is subscribed or committed
            "enable.auto.commit": False,
            "auto.offset.reset": "error",
            "enable.partition.eof": True,
            "fetch.queue.backoff.ms": 10,
            "fetch.wait.max.ms": 100,
            # Small enough that partitions stay abreast of each other, so that little is held.
            "max.partition.fetch.bytes": 262_144,
            "queued.max.messages.kbytes": 16_384,
            **conf,
        }
        self._blocks: queue.Queue[Entries | BaseException | None] = queue.Queue(_AHEAD)
        self._stopping = False
        self._paused: set[int] = set()
        self.refused: Counter[str] = Counter()
        self.skipped = 0
        self.open_wishes: dict[str, int] = {}
        self.read = [0] * len(parts)
        self._thread = threading.Thread(target=self._run, name="replay source", daemon=True)

    def __enter__(self) -> Iterator[Entries]:
        self._thread.start()
        return self._each()

    def __exit__(self, *_: object) -> None:
        self._stopping = True
        self._thread.join(10)

    def _each(self) -> Iterator[Entries]:
        while (block := self._blocks.get()) is not None:
            if isinstance(block, BaseException):
                raise block
            yield block

    def _run(self) -> None:
        try:
            self._read_all()
            self._hand_over(None)
        except BaseException as error:
            self._hand_over(error)

    def _read_all(self) -> None:
        consumer = ck.Consumer(self._conf)
        try:
            consumer.assign([self._place(number, self._from[number]) for number in sorted(self._unread)])
            ready: list[Entries] = []
            quiet = 0.0
            while not self._stopping:
                if self._unread:
                    got = self._poll(consumer)
                    quiet = 0.0 if got else quiet + 0.2
                    if quiet > _SILENCE_S:
                        names = ", ".join(self._parts[number].name for number in sorted(self._unread))
                        raise BrokerError(f"no message came for {_SILENCE_S:.0f} s from {names}; does the broker run?")
                if sum(self._merger.held) < BLOCK and self._unread:
                    continue
                merged = self._merger.take()
                if merged is not None:
                    ready = self._cut([*ready, merged])
                    self._steer(consumer)
                if not self._unread and not any(self._merger.held):
                    break
            if ready and not self._stopping:
                self._hand_over(joined(ready))
        except ck.KafkaException as error:
            raise BrokerError(f"cannot read the topics: {error.args[0].str()}") from error
        finally:
            consumer.close()

    def _cut(self, ready: list[Entries]) -> list[Entries]:
        """Hand over whole blocks; return what is left."""
        n = sum(map(len, ready))
        if n < BLOCK:
            return ready
        whole = joined(ready)
        for first in range(0, n - BLOCK + 1, BLOCK):
            self._hand_over(whole.take(slice(first, first + BLOCK)))
        return [whole.take(slice(n - n % BLOCK, None))] if n % BLOCK else []

    def _hand_over(self, block: Entries | BaseException | None) -> None:
        while not self._stopping:
            try:
                self._blocks.put(block, timeout=0.2)
                return
            except queue.Full:
                continue

    def _poll(self, consumer: Any) -> bool:
        first = consumer.poll(0.2)
        if first is None:
            return False
        good, at_end = [], []
        for message in [first, *consumer.consume(_AT_ONCE - 1, 0.0)]:
            error = message.error()
            if error is None:
                good.append(message)
            elif error.code() == ck.KafkaError._PARTITION_EOF:
                at_end.append(self._numbers[message.topic(), message.partition()])
            elif error.fatal() or error.code() == ck.KafkaError._AUTO_OFFSET_RESET:
                raise BrokerError(
                    f"cannot go on reading {message.topic()}/{message.partition()}: {error.str()}; what the replay "
                    "still needs was deleted: start it anew with --fresh"
                )
        for topic, partitions in by_topic(good).items():
            self._take(topic, partitions)
        for number in at_end:  # only now: what came before the end may have come in the same poll
            self._finish(number)
        return True

    def _take(self, topic: str, partitions: dict[int, list[ck.Message]]) -> None:
        over = []
        for partition, messages in list(partitions.items()):
            number = self._numbers[topic, partition]
            part = self._parts[number]
            if number not in self._unread:
                del partitions[partition]
                continue
            if messages[-1].offset() >= part.end - 1:
                over.append(number)
                if messages[-1].offset() >= part.end:
                    partitions[partition] = [message for message in messages if message.offset() < part.end]
            if not partitions[partition]:
                del partitions[partition]
                continue
            self.read[number] += len(partitions[partition])
        if partitions:
            kind = self._parts[self._numbers[topic, next(iter(partitions))]].kind
            if kind == "users":
                for partition, messages in partitions.items():
                    self._merger.put(self._users(self._numbers[topic, partition], messages))
            else:
                self._put_events(topic, kind, partitions)
        for number in over:
            self._finish(number)

    def _put_events(self, topic: str, kind: str, partitions: dict[int, list[ck.Message]]) -> None:
        messages = [message for own in partitions.values() for message in own]
        stretches = {number: (own[0].offset(), own[-1].offset()) for number, own in partitions.items()}
        records = Records(topic, messages, stretches, lambda: frozenset(partitions), lambda: None)
        first = self._numbers[topic, next(iter(partitions))]
        topic_id = self._parts[first].topic_id
        given = decode_events(records, _KINDS[kind], topic_id, self._home, self._marks, foreign=True, rekey=self._rekey)
        self.refused.update(error.reason for _, error in given.letters)
        self.skipped += given.skipped
        batch = given.batch
        source = np.asarray(batch.source, np.int64)
        # Partition after partition, as the messages were put together above.
        bounds = np.searchsorted(source, np.arange(len(batch.sources) + 1))
        for place, stretch in enumerate(batch.sources):
            part = slice(int(bounds[place]), int(bounds[place + 1]))
            events = list(batch.events[part])
            number = self._numbers[topic, stretch.partition]
            times = [event.time for event in events]
            self._merger.put(entries(number, EVENT, batch.offset[part], times, batch.own[part], events))

    def _users(self, number: int, messages: list[ck.Message]) -> Entries:
        part, offsets, times, what = self._parts[number], [], [], []
        records = Records(part.topic, messages, {}, frozenset, lambda: None)
        given = decode_users(records, self._home, foreign=True)
        self.refused.update(error.reason for _, error in given.letters)
        for wish in given.wishes:
            if not wish.told and not self._marks.skips(wish.user, part.topic, wish.partition, wish.offset, wish.stamp):
                self.open_wishes.setdefault(part.name, wish.offset)
        for user, message in given.records:
            stamp = message.timestamp()[1]
            if not self._marks.skips(user.user, part.topic, part.partition, message.offset(), stamp):
                offsets.append(message.offset())
                times.append(stamp)
                what.append((user.user, features(user.attributes)))
        return entries(number, USER, offsets, times, [True] * len(what), what)

    def _finish(self, number: int) -> None:
        self._unread.discard(number)
        self._merger.finish(number)

    def _steer(self, consumer: Any) -> None:
        """Pause what is far ahead or at its end, let go on what is not."""
        held = self._merger.held
        assigned = {n for n, part in enumerate(self._parts) if part.kind != "items" and self._from[n] < part.end}
        pause = {n for n in assigned - self._paused if n not in self._unread or held[n] > self._limit}
        resume = {n for n in self._paused & self._unread if held[n] < self._limit // 4}
        if pause:
            consumer.pause([self._place(number) for number in pause])
        if resume:
            consumer.resume([self._place(number) for number in resume])
        self._paused = self._paused - resume | pause

    def _place(self, number: int, offset: int = ck.OFFSET_INVALID) -> ck.TopicPartition:
        part = self._parts[number]
        return ck.TopicPartition(part.topic, part.partition, offset)
