"""The one place where events change user states: clicks and ratings of a user cannot race.

A batch is decoded, the states that it needs are loaded, and then, in one synchronous step, it is applied and the lists
of its users are made. The outbox writes the lists, then the watermark, and hands what was taught to the learning log.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.events import Click, InvalidEvent, Rating, User, decode
from contracts.learning import Source
from contracts.topics import partition_of
from models.arrivals import APPLIED, DUPLICATE
from models.attributes import features
from models.engine import Batch, Engine, Observation
from models.user_state import CorruptState
from serving.store import Store
from streams.deadletters import DeadLetters
from streams.learning import LearningLog
from streams.lists import ListMaker
from streams.outbox import Outbox, stubbornly
from streams.records import Records
from streams.status import Status

# Below so many events, waking another thread costs more than it saves.
_WORTH_A_THREAD = 64

Letters = list[tuple[Any, InvalidEvent]]
"""Messages that cannot be used, and why."""


@dataclass(slots=True)
class _Input:
    """A decoded batch."""

    batch: Batch
    stamps: list[int] = field(default_factory=list)  # ms since the epoch, when each event was produced
    letters: Letters = field(default_factory=list)


class Applier:
    """Applies batches of events, one at a time.

    Parameters
    ----------
    engine, store, log, outbox, letters, lists, status
        Of this worker.
    kinds : dict
        Full topic name → event type.
    topic_ids : dict
        Full topic name → Kafka's topic id.
    partitions : int
        Of every user-keyed topic.
    score_every : int
        Measure the live hit rate on every n-th event.
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
        status: Status,
        *,
        kinds: dict[str, type[Click] | type[Rating]],
        topic_ids: dict[str, str],
        partitions: int,
        score_every: int,
        warn: Callable[[str], None],
    ) -> None:
        self._engine, self._store, self._log, self._outbox = engine, store, log, outbox
        self._letters, self._lists, self._status = letters, lists, status
        self._kinds, self._topic_ids, self._score_every, self._warn = kinds, topic_ids, score_every, warn
        self._lock = asyncio.Lock()
        self._beside = ThreadPoolExecutor(1, "rank")
        self._warned = False
        self.applied: dict[tuple[str, int], int] = {}
        self.home: Callable[[str], int] = lru_cache(maxsize=200_000)(lambda user: partition_of(user, partitions))

    async def apply(self, records: Records) -> None:
        """Apply a batch; its lists are on their way to Redis then, and there when ``records.done`` is called."""
        async with self._lock:
            if not records.is_ours():
                records.done()
                return
            given = self._decode(records)
            states = await self._load(event.user for event in given.batch.events)
            self._admit(states)
            # Nothing is awaited from here on: no other batch, and no barrier, can see half of this one.
            self._log.fold()
            observation = self._engine.observe(given.batch)
            lists = self._measured(observation)
            self.applied.update(records.next_offsets)
            self._outbox.put(lambda: self._deliver(records, given, observation, lists))

    async def describe(self, records: Records) -> None:
        """Take over what is known of users beside their events; who has none gets a list from it at once."""
        async with self._lock:
            if not records.is_ours():
                records.done()
                return
            known, forgets, letters = self._decode_users(records)
            self._admit(await self._load(known))
            self._log.fold()
            users = self._engine.users
            slots = np.array([users.slot(user) for user in known], np.int32)
            for slot, attributes in zip(slots.tolist(), known.values(), strict=True):
                users.describe(slot, attributes)
            lists = self._lists.make(slots[~users.active(slots)])
            self.applied.update(records.next_offsets)
            self._status.described += len(known)
            self._status.forgets_ignored += forgets

        async def deliver() -> None:
            await self._outbox.call(self._store.write_lists, lists, records.next_offsets)
            self._send(letters)
            records.done()
            self._status.lists_written += len(lists)
            self._status.refused([error.reason for _, error in letters])

        self._outbox.put(deliver)

    async def freshen(self, n: int) -> None:
        """Make up to ``n`` of the oldest lists anew, from what has been learned since."""
        async with self._lock:
            lists = self._lists.make(self._engine.users.outdated(self._engine.revision, n))

        async def deliver() -> None:
            await self._outbox.call(self._store.write_lists, lists, {})
            self._status.lists_written += len(lists)

        if lists:
            self._outbox.put(deliver)

    async def between_batches(self, action: Callable[[], Any]) -> Any:
        """Call something while no batch is being applied."""
        async with self._lock:
            return action()

    async def _deliver(
        self, records: Records, given: _Input, observation: Observation, lists: list[tuple[str, bytes]]
    ) -> None:
        await self._outbox.call(self._store.write_lists, lists, records.next_offsets)
        now = time.time_ns() / 1e6
        self._log.append(observation.lessons)
        self._send(given.letters)
        records.done()
        outcome = observation.observed.outcome
        stamps = np.array(given.stamps, np.float64)[outcome == APPLIED]
        self._status.delivered(now - stamps, len(lists), [error.reason for _, error in given.letters])

    def _send(self, letters: Letters) -> None:
        for message, error in letters:
            self._letters.send(
                message.topic(), message.partition(), message.offset(), message.key(), message.value(),
                message.timestamp()[1], error.reason, error.detail,
            )  # fmt: skip

    def _decode_users(self, records: Records) -> tuple[dict[str, NDArray[np.uint32]], int, Letters]:
        """Return user → hashes of his attributes, the newest record of each; how many wish to be forgotten; letters."""
        known: dict[str, NDArray[np.uint32]] = {}
        forgets, letters = 0, []
        for message in records.messages:
            if message.value() is None and message.key():
                forgets += 1  # a tombstone: the same wish
                continue
            try:
                user = decode(User, message.value(), message.key(), message.timestamp()[1])
            except InvalidEvent as error:
                letters.append((message, error))
                continue
            if user.forget:
                forgets += 1
            else:
                known[user.user] = features(user.attributes)
        return known, forgets, letters

    def _decode(self, records: Records) -> _Input:
        kind = self._kinds[records.topic]
        topic_id = self._topic_ids[records.topic]
        numbers = {partition: index for index, partition in enumerate(records.stretches)}
        sources = [Source(records.topic, topic_id, p, first, last) for p, (first, last) in records.stretches.items()]
        given = _Input(Batch([], [], [], [], sources))
        events, source, offsets, own = [], [], [], []
        for message in records.messages:
            stamp = message.timestamp()[1]
            try:
                event = decode(kind, message.value(), message.key(), stamp)
            except InvalidEvent as error:
                given.letters.append((message, error))
                continue
            partition = message.partition()
            events.append(event)
            source.append(numbers[partition])
            offsets.append(message.offset())
            own.append(partition == self.home(event.user))
            given.stamps.append(stamp)
        if not self._warned and not all(own):
            self._warned = True
            self._warn(
                f"events of {records.topic} do not lie on the partition that murmur2 gives their user: "
                "set the producer's partitioner to murmur2_random before a second worker is started"
            )
        given.batch = Batch(events, source, offsets, own, sources)
        return given

    async def _load(self, names: Iterable[str]) -> list[tuple[str, bytes | None]]:
        users = self._engine.users.missing(names)
        if not users:
            return []
        places = [(self.home(user), user) for user in users]
        states = await stubbornly(None, self._outbox.log.warning, self._store.load_states, places)
        return list(zip(users, states, strict=True))

    def _admit(self, states: list[tuple[str, bytes | None]]) -> None:
        for user, state in states:
            try:
                self._engine.users.admit(user, state)
            except CorruptState as error:
                self._warn(f"{error}; this user starts anew, `headrace replay` rebuilds what was lost")
                self._engine.users.admit(user, None)

    def _measured(self, observation: Observation) -> list[tuple[str, bytes]]:
        """Make the new lists, and rank the items chosen; in large batches beside each other, since both only read."""
        shown = self._lists.was_shown(observation)
        outcome = observation.observed.outcome
        slots = np.unique(observation.slots[outcome == APPLIED])
        rank = partial(self._engine.rank, observation, self._score_every, self._status.events_applied)
        if len(outcome) >= _WORTH_A_THREAD:
            ranking = self._beside.submit(rank)
            lists = self._lists.make(slots)
            ranks = ranking.result()
        else:
            ranks = rank()
            lists = self._lists.make(slots)
        n, duplicates = int((outcome <= DUPLICATE).sum()), int((outcome == DUPLICATE).sum())
        untaught = int(((outcome == APPLIED) & ~observation.observed.taught).sum())
        self._status.observed(n, duplicates, untaught, ranks, shown[ranks.events])
        return lists
