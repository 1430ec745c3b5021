"""The one place where events change user states: clicks and ratings of a user cannot race.

A batch is decoded, the states that it needs are loaded, and then, in one synchronous step, it is applied and the lists
of its users are made. The outbox writes the lists, then the watermark, and hands what was taught to the learning log.
When more batches wait already, lists are made once for a few of them together: a burst of one user costs one list.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import lru_cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.events import Click, Rating
from contracts.topics import partition_of
from models.arrivals import APPLIED, DUPLICATE
from models.engine import Engine, Observation
from models.user_state import CorruptState
from serving.store import Store
from streams.deadletters import DeadLetters
from streams.epochs import Epochs
from streams.intake import Events, Letters, decode_events, decode_users
from streams.learning import LearningLog
from streams.lists import ListMaker
from streams.outbox import Outbox, stubbornly
from streams.records import Records
from streams.status import Status

# Below so many events, waking another thread costs more than it saves.
_WORTH_A_THREAD = 64

_NOBODY = np.zeros(0, np.int32)
# Batches that share their lists, at most.
_TOGETHER = 4


@dataclass(slots=True)
class _Applied:
    """A batch that was applied and not yet handed to the outbox."""

    records: Records
    given: Events
    observation: Observation

    @property
    def slots(self) -> NDArray[np.int32]:
        """The users for whom it brought something new."""
        return np.asarray(self.observation.slots[self.observation.observed.outcome == APPLIED])


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
    epochs : Epochs
    refused : callable
        Told of partitions where writes were refused, and under which epochs.
    in_flight : callable
        Returns how many batches the consumer has handed over that are not done.
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
        epochs: Epochs,
        refused: Callable[[frozenset[int], Mapping[int, int]], Awaitable[None]],
        in_flight: Callable[[], int],
        warn: Callable[[str], None],
    ) -> None:
        self._engine, self._store, self._log, self._outbox = engine, store, log, outbox
        self._letters, self._lists, self._status = letters, lists, status
        self._kinds, self._topic_ids, self._score_every, self._warn = kinds, topic_ids, score_every, warn
        self._in_flight, self._epochs, self._refused = in_flight, epochs, refused
        self._taken = 0  # batches taken over that are not done
        self._held: list[_Applied] = []
        self._lock = asyncio.Lock()
        self._beside = ThreadPoolExecutor(1, "rank")
        self._warned = False
        self.applied: dict[tuple[str, int], int] = {}
        self.home: Callable[[str], int] = lru_cache(maxsize=200_000)(lambda user: partition_of(user, partitions))

    async def apply(self, records: Records) -> None:
        """Apply a batch; its lists are on their way to Redis then, and there when ``records.done`` is called."""
        async with self._lock:
            records = records.ours()
            if not records.stretches:
                records.done()
                self._hand_over_held()
                return
            self._taken += 1
            given = self._decode(records)
            states = await self._load(event.user for event in given.batch.events)
            self._admit(states)
            # Nothing is awaited from here on: no other batch, and no barrier, can see half of this one.
            self._log.fold()
            observation = self._engine.observe(given.batch)
            self._lists.heard_of(observation.slots)
            self._held.append(_Applied(records, given, observation))
            self.applied.update(records.next_offsets)
            more = self._in_flight() > self._taken and len(self._held) < _TOGETHER
            lists = self._measured(observation, _NOBODY if more else self._of_held())
            if not more:
                self._hand_over(lists)

    async def describe(self, records: Records) -> None:
        """Take over what is known of users beside their events; who has none gets a list from it at once."""
        async with self._lock:
            self._hand_over_held()
            records = records.ours()
            if not records.stretches:
                records.done()
                return
            self._taken += 1
            given = decode_users(records, self.home, foreign=self._epochs.all)
            self._admit(await self._load(given.attributes))
            self._log.fold()
            users = self._engine.users
            slots = np.array([users.slot(user) for user in given.attributes], np.int32)
            for slot, attributes in zip(slots.tolist(), given.attributes.values(), strict=True):
                users.describe(slot, attributes)
            self._lists.heard_of(slots)
            lists = self._lists.make(slots[~users.active(slots)])
            epochs = self._epochs.now
            self.applied.update(records.next_offsets)
            self._status.described += len(slots)
            self._status.forgets_ignored += given.forgets

        async def deliver() -> None:
            await self._write(lists, records.next_offsets, epochs)
            self._send(given.letters)
            self._done(records)
            self._status.lists_written += len(lists)
            self._status.refused([error.reason for _, error in given.letters])

        self._outbox.put(deliver)

    async def freshen(self, n: int) -> None:
        """Make up to ``n`` lists anew whose users do nothing, from what has been learned since."""
        async with self._lock:
            lists = self._lists.make(self._lists.due(n))
            epochs = self._epochs.now

        async def deliver() -> None:
            await self._write(lists, {}, epochs)
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

    def _of_held(self) -> NDArray[np.int32]:
        return np.unique(np.concatenate([applied.slots for applied in self._held]))

    def _hand_over_held(self) -> None:
        if self._held:
            self._hand_over(self._lists.make(self._of_held()))

    def _hand_over(self, lists: list[tuple[str, bytes]]) -> None:
        held, self._held = self._held, []
        epochs = self._epochs.now  # those of now: when it is written, the partition may be owned anew
        self._outbox.put(lambda: self._deliver(held, lists, epochs))

    async def _deliver(self, held: list[_Applied], lists: list[tuple[str, bytes]], epochs: Mapping[int, int]) -> None:
        reached = {place: offset for applied in held for place, offset in applied.records.next_offsets.items()}
        # Of a refused partition lessons are sent all the same: its new owner's are equal, and readers skip the second.
        await self._write(lists, reached, epochs)
        now = time.time_ns() / 1e6
        self._status.lists_written += len(lists)
        for applied in held:
            self._log.append(applied.observation.lessons)
            self._send(applied.given.letters)
            self._done(applied.records)
            outcome = applied.observation.observed.outcome
            stamps = np.array(applied.given.stamps, np.float64)[outcome == APPLIED]
            self._status.delivered(now - stamps, [error.reason for _, error in applied.given.letters])

    async def _write(
        self, lists: list[tuple[str, bytes]], reached: Mapping[tuple[str, int], int], epochs: Mapping[int, int]
    ) -> None:
        placed = [(self.home(user), user, value) for user, value in lists]
        refused = await self._outbox.call(self._store.write_lists, placed, reached, epochs)
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
        given = decode_events(records, self._kinds[topic], self._topic_ids[topic], self.home, foreign=self._epochs.all)
        if not self._warned and not all(given.batch.own):
            self._warned = True
            self._warn(
                f"events of {topic} do not lie on the partition that murmur2 gives their user: "
                "set the producer's partitioner to murmur2_random before a second worker is started"
            )
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

    def _measured(self, observation: Observation, slots: NDArray[np.int32]) -> list[tuple[str, bytes]]:
        """Make lists, and rank the items chosen; in large batches beside each other, since both only read."""
        shown = self._lists.was_shown(observation)
        outcome = observation.observed.outcome
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
