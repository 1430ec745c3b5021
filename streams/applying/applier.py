"""The one place where events change user states: clicks and ratings of a user cannot race.

A batch is decoded, the states that it needs are loaded, and then, in one synchronous step, it is applied and the lists
of its users are made. The outbox writes the lists, then the watermark, and hands what was taught to the learning log.
When the worker is behind, lists are made once for a few batches together: a burst of one user costs one list.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.events import Click, Rating
from contracts.topics import partition_of
from infra import failpoints
from infra.errors import BrokerError
from models.arrivals import APPLIED, UNDONE
from models.engine import Engine, Observation
from serving.store.store import Store
from streams.applying.epochs import Epochs
from streams.applying.intake import Events, Letters, decode_events, decode_users
from streams.applying.lists import ListMaker
from streams.applying.measuring import Measuring
from streams.applying.outbox import Outbox
from streams.applying.rekeying import Rekeying
from streams.applying.residents import Residents
from streams.consuming.consumer import ABREAST
from streams.consuming.records import Records
from streams.deadletters.letters import DeadLetters
from streams.forgetting.marks import Marks
from streams.forgetting.wishes import Forgetting, forgotten
from streams.learning.log import LearningLog
from streams.watching.status import Status

_NOBODY = np.zeros(0, np.int32)
# Users whose partitions are remembered.
_HOMES = 200_000


@dataclass(slots=True)
class _Applied:
    """A batch that was applied and not yet handed to the outbox."""

    records: Records
    given: Events
    observation: Observation

    @property
    def slots(self) -> NDArray[np.int32]:
        """The users for whom it changed something."""
        outcome = self.observation.observed.outcome
        return np.asarray(self.observation.slots[(outcome == APPLIED) | (outcome == UNDONE)])

    @property
    def undone(self) -> list[int]:
        """The users who took something back."""
        undone: list[int] = self.observation.slots[self.observation.observed.outcome == UNDONE].tolist()
        return undone


class Applier:
    """Applies batches of events, one at a time.

    Parameters
    ----------
    engine, store, log, outbox, letters, lists, measuring, status
        Of this worker.
    kinds : dict
        Full topic name → event type.
    topic_ids : dict
        Full topic name → Kafka's topic id.
    partitions : int
        Of every user-keyed topic.
    rekeyed : mapping of str to str
        See :func:`streams.kafka.producer.rekeyed_topics`.
    epochs : Epochs
    refused : callable
        Told of partitions where writes were refused, and under which epochs.
    in_flight : callable
        Returns how many batches the consumer has handed over that are not done.
    together : int
        So many batches share their lists while more are waiting, at most.
    forgetting : Forgetting
        Makes marks of who wishes to be forgotten.
    warn : callable
        Told, once, of events that do not lie on their user's partition.
    """

    def __init__(
        self,
        engine: Engine,
        store: Store,
        log: LearningLog,
        outbox: Outbox,
        letters: DeadLetters,
        lists: ListMaker,
        measuring: Measuring,
        status: Status,
        *,
        kinds: dict[str, type[Click] | type[Rating]],
        topic_ids: dict[str, str],
        partitions: int,
        rekeyed: Mapping[str, str],
        epochs: Epochs,
        refused: Callable[[frozenset[int], Mapping[int, int]], Awaitable[None]],
        in_flight: Callable[[], int],
        together: int,
        forgetting: Forgetting,
        warn: Callable[[str], None],
    ) -> None:
        self._engine, self._store, self._log, self._outbox = engine, store, log, outbox
        self._letters, self._lists, self._measuring, self._status = letters, lists, measuring, status
        self._kinds, self._topic_ids, self._warn = kinds, topic_ids, warn
        self._in_flight, self._together = in_flight, together
        self._epochs, self._refused = epochs, refused
        self._forgetting = forgetting
        self._taken = 0  # batches taken over that are not done
        self._held: list[_Applied] = []
        self._lock = asyncio.Lock()
        self._warned = False
        self.applied: dict[tuple[str, int], int] = {}
        self.home: Callable[[str], int] = lru_cache(maxsize=_HOMES)(lambda user: partition_of(user, partitions))
        self._rekeying = Rekeying(log, rekeyed, self.home)
        self._residents = Residents(engine.users, store, outbox, forgetting.marks, self.home, warn)

    async def apply(self, records: Records) -> None:
        """Apply a batch; its lists are on their way to Redis then, and there when ``records.done`` is called."""
        async with self._lock:
            records = records.ours()
            if not records.stretches:
                records.done()
                self._hand_over_held()
                return
            self._check_order(records)
            self._taken += 1
            await self._know_marks(records)
            given = self._decode(records)
            self._residents.admit(await self._residents.load(event.user for event in given.batch.events))
            # Nothing is awaited from here on: no other batch, and no barrier, can see half of this one.
            self._log.fold()
            observation = self._observe(given)
            self._lists.heard_of(observation.slots)
            self._held.append(_Applied(records, given, observation))
            self.applied.update(records.next_offsets)
            waiting = self._in_flight() > max(self._taken, ABREAST)
            more = waiting and not records.alone and len(self._held) < self._together
            slots = _NOBODY if more else self._of_held()
            lists = self._measuring.while_made(lambda: self._lists.make(slots), records.topic, observation)
            if not more:
                self._hand_over(lists)

    async def describe(self, records: Records) -> None:
        """Take over what is known of users beside their events; who has none gets a list from it at once.

        Who wishes to be forgotten is so before any other event is applied.
        """
        async with self._lock:
            self._hand_over_held()
            records = records.ours()
            if not records.stretches:
                records.done()
                return
            self._check_order(records)
            self._taken += 1
            given = decode_users(records, self.home, foreign=self._epochs.all)
            wishes = {wish.user: wish for wish in given.wishes}
            await self._forgetting.mark(given.wishes)
            known = given.attributes(self._marks)
            self._residents.admit(await self._residents.load([*known, *wishes]))
            self._log.fold()
            users = self._engine.users
            gone = self._residents.forget(user for user in wishes if user not in known)
            slots = np.array([users.slot(user) for user in known], np.int32)
            for slot, attributes in zip(slots.tolist(), known.values(), strict=True):
                users.describe(slot, attributes)
            self._lists.heard_of(slots)
            lists = self._lists.make(slots[~users.active(slots)])
            epochs = self._epochs.now
            self.applied.update(records.next_offsets)
            self._status.described += len(slots)
            self._status.forgotten += sum(not wishes[user].told for user in gone)
            past = [*gone, *(user for user in wishes if user in known)]
            oblivion = forgotten(wishes, self._marks)
            if gone:
                self._forget_names()

        async def deliver() -> None:
            await self._write(lists, records.next_offsets, epochs, past)
            if wishes:
                self._log.append(oblivion)
                for wish in wishes.values():
                    if not wish.told:
                        self._forgetting.clear_wish(wish)
            self._send(given.letters)
            self._done(records)
            self._status.lists_written += len(lists)
            self._status.refused([error.reason for _, error in given.letters])

        self._outbox.put(deliver)

    async def freshen(self, n: int) -> None:
        """Make up to ``n`` lists anew whose users do nothing, from what has been learned since."""
        async with self._lock:
            lists = [
                (self.home(user), user, value, self._lists.left_s(user))
                for user, value in self._lists.make(self._lists.due(n))
            ]
            epochs = self._epochs.now

        async def deliver() -> None:
            refused = await self._outbox.call(self._store.freshen_lists, lists, epochs)
            if refused:
                await self._refused(refused, epochs)
            self._status.lists_written += len(lists)

        if lists:
            self._outbox.put(deliver)

    async def between_batches(self, action: Callable[[], Any]) -> Any:
        """Call something while no batch is being applied."""
        async with self._lock:
            self._hand_over_held()
            return action()

    def forget(self, numbers: frozenset[int]) -> None:
        """Forget how far some partitions have been applied; between batches."""
        self.applied = {place: offset for place, offset in self.applied.items() if place[1] not in numbers}

    @property
    def _marks(self) -> Marks:
        return self._forgetting.marks

    def _forget_names(self) -> None:
        """Let go of the ids that are remembered only to save work."""
        self.home.cache_clear()  # type: ignore[attr-defined]
        self._marks.discard_names()

    async def _know_marks(self, records: Records) -> None:
        """Before a partition's first batch: its former owner may have just forgotten somebody."""
        if not records.next_offsets.keys() <= self.applied.keys():
            await self._forgetting.catch_up()

    def _check_order(self, records: Records) -> None:
        for partition, (first, _) in records.stretches.items():
            next_offset = self.applied.get((records.topic, partition), 0)
            if first < next_offset:
                # What states contain would be skipped without a word, see streams.consuming.sources.
                raise BrokerError(
                    f"{records.topic} partition {partition} goes on at {first} after {next_offset - 1}: the topic "
                    "was deleted and created again, or its newest records were lost"
                )

    def _observe(self, given: Events) -> Observation:
        failpoints.before("observe")
        observation = self._engine.observe(given.batch)
        failpoints.taste(given.batch.events)
        failpoints.after("observe")
        return observation

    def _of_held(self) -> NDArray[np.int32]:
        return np.unique(np.concatenate([applied.slots for applied in self._held]))

    def _hand_over_held(self) -> None:
        if self._held:
            self._hand_over(self._lists.make(self._of_held()))

    def _hand_over(self, lists: list[tuple[str, bytes]]) -> None:
        held, self._held = self._held, []
        epochs = self._epochs.now  # those of now: when it is written, the partition may be owned anew
        # Who has taken back the last thing he did has no list any more.
        undone = {
            slot for applied in held for slot in applied.undone if not self._engine.views.knows(np.array([slot]))[0]
        }
        without = [self._engine.users.names[slot] for slot in undone]
        self._outbox.put(lambda: self._deliver(held, lists, epochs, without))

    async def _deliver(
        self, held: list[_Applied], lists: list[tuple[str, bytes]], epochs: Mapping[int, int], without: list[str]
    ) -> None:
        reached = {place: offset for applied in held for place, offset in applied.records.next_offsets.items()}
        # Of a refused partition lessons are sent all the same: its new owner's are equal, and readers skip the second.
        failpoints.before("lists")
        await self._write(lists, reached, epochs, without)
        failpoints.after("lists")
        now = time.time_ns() / 1e6
        self._status.lists_written += len(lists)
        for applied in held:
            failpoints.before("append")
            self._log.append(applied.observation.lessons)
            failpoints.after("append")
            self._send(applied.given.letters)
            self._rekeying.forward(applied.given.strays)
            self._status.rekeyed += len(applied.given.strays)
            self._done(applied.records)
            counted = applied.observation.observed.outcome == APPLIED
            stamps = np.array(applied.given.stamps, np.float64)[counted]
            reasons = [error.reason for _, error in applied.given.letters]
            self._status.delivered(now - stamps, applied.given.partitions[counted], reasons)

    async def _write(
        self,
        lists: list[tuple[str, bytes]],
        reached: Mapping[tuple[str, int], int],
        epochs: Mapping[int, int],
        without: Sequence[str] = (),
    ) -> None:
        placed = [(self.home(user), user, value) for user, value in lists]
        gone = [(self.home(user), user) for user in without]
        begun = time.perf_counter()
        refused = await self._outbox.call(self._store.write_lists, placed, reached, epochs, gone)
        self._status.wrote({number for _, number in reached}, time.perf_counter() - begun)
        if refused:
            await self._refused(refused, epochs)

    def _done(self, records: Records) -> None:
        records.done()
        self._taken -= 1

    def _send(self, letters: Letters) -> None:
        for message, error in letters:
            self._letters.send(
                message.topic(), message.partition(), message.offset(), message.key(), message.value(),
                message.timestamp()[1], error.reason, error.detail,
            )  # fmt: skip

    def _decode(self, records: Records) -> Events:
        topic = records.topic
        rekey, forwarded = self._rekeying.forwards(topic), self._rekeying.has_forwarded(topic)
        foreign = self._epochs.all and not rekey and not forwarded
        given = decode_events(
            records, self._kinds[topic], self._topic_ids[topic], self.home, self._marks,
            foreign=foreign, rekey=rekey, forwarded=forwarded,
        )  # fmt: skip
        self._status.skipped += given.skipped
        if foreign and not self._warned and not all(given.batch.own):
            self._warned = True
            self._warn(
                f"events of {topic} do not lie on the partition that murmur2 gives their user: "
                "set the producer's partitioner to murmur2_random, or kafka.rekey, before a second worker is started"
            )
        return given
