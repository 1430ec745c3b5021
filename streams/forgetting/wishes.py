"""Makes marks of people who wish to be forgotten, and keeps the worker's own marks up to date.

A mark counts once it has been read back from Kafka: only then is anything deleted. A worker that dies in between reads
the wish again and finds the mark.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import confluent_kafka as ck
import msgspec

from contracts.learning import Forgotten, Lessons, oblivion
from contracts.marks import End, Mark, Wish, encode_mark, person, salt_key
from models.ratings import rater
from streams.forgetting.marks import Marks, now_ms
from streams.kafka.ends import end_offsets
from streams.learning.log import LearningLog

FORGOTTEN = "forgotten"
"""Header of the empty message that follows a wish on ``users``, so that compaction takes the user's id out of Kafka."""
_SALT_BYTES = 32
_TRY_AGAIN_S = 1.0


class Asked(NamedTuple):
    """A wish to be forgotten, as it was read."""

    user: str
    partition: int
    offset: int
    stamp: int  # ms since the epoch
    told: bool  # by our own empty message, behind the wish itself


def forgotten(wishes: Mapping[str, Asked], marks: Marks) -> Lessons:
    """Return what the item model must forget of marked people."""
    people = [(user, mark.wish) for user in wishes if (mark := marks.of(user)) is not None]
    return oblivion([Forgotten(rater(user), *msgspec.structs.astuple(wish)) for user, wish in people])


class Forgetting:
    """Turns wishes into marks.

    Parameters
    ----------
    marks : Marks
        Fed by the worker's reader of the topic.
    topic, users : str
        Full names of the topics of marks and of users.
    kafka : mapping
        librdkafka properties.
    log : LearningLog
        The worker's own, for its producer.
    home : callable
        User → his own partition.
    warn : callable
        Told when Kafka does not answer.
    """

    def __init__(
        self,
        marks: Marks,
        topic: str,
        users: str,
        kafka: Mapping[str, Any],
        log: LearningLog,
        home: Callable[[str], int],
        warn: Callable[[str], None],
    ) -> None:
        self.marks = marks
        self._topic, self._users, self._home, self._warn = topic, users, home, warn
        self._log, self._kafka = log, kafka
        self._heard = asyncio.Event()

    def hear(self, messages: list[ck.Message]) -> None:
        """Take over marks as the reader brings them."""
        self.marks.hear(messages)
        self._heard.set()

    async def begin(self, first: int) -> None:
        """Agree with all other programs on a salt; for when the topic was read whole, from offset ``first`` on."""
        self.marks.position = max(self.marks.position, first)  # there may be none left below
        if self.marks.salt is None:
            await self._append([(salt_key(secrets.token_bytes(_SALT_BYTES)), b"{}")])

    async def mark(self, wishes: list[Asked]) -> None:
        """Make the marks that are missing for these wishes; they are known here and durable then."""
        if not wishes:
            return
        await self.catch_up()
        missing = {wish.user: wish for wish in wishes if not self._is_marked(wish)}
        if not missing:
            return
        homes = {user: self._home(user) for user in missing}
        ends = await self._ends(sorted(set(homes.values())))
        taken, salt = now_ms(), self.marks.salt or b""
        records = [
            (person(user, salt), encode_mark(self._mark(wish, homes[user], taken, ends)))
            for user, wish in missing.items()
        ]
        await self._append(records)

    def clear_wish(self, wish: Asked) -> None:
        """Send the empty message that lets compaction take the user's id out of the topic of users."""
        self._log.publish(self._users, wish.partition, wish.user.encode(), None, headers=[(FORGOTTEN, b"1")])

    def _is_marked(self, wish: Asked) -> bool:
        if wish.told:
            return self.marks.of(wish.user) is not None
        return self.marks.skips(wish.user, self._users, wish.partition, wish.offset, wish.stamp)

    def _mark(self, wish: Asked, home: int, taken: int, ends: Mapping[tuple[str, int], int]) -> Mark:
        ids, before = self.marks.ids, self.marks.of(wish.user)
        reached = {topic: End(ids[topic], ends[topic, home]) for topic in ids}
        if wish.partition == home:
            # Of this topic the order is known: what came behind the wish counts.
            reached[self._users] = End(ids[self._users], wish.offset + 1)
        generation = max(wish.stamp, before.generation + 1 if before else 1)
        asked = Wish(self._users, ids[self._users], wish.partition, wish.offset)
        return Mark(generation, taken, home, reached, asked)

    async def _append(self, records: list[tuple[bytes, bytes]]) -> None:
        """Write records to the topic of marks, and wait until they have been read back."""
        for key, value in records:
            self._log.publish(self._topic, 0, key, value)
        await asyncio.to_thread(self._log.flush)
        await self.catch_up()

    async def catch_up(self) -> None:
        """Wait until all marks that stand in Kafka now are known."""
        end = (await self._latest([(self._topic, 0)]))[self._topic, 0]
        while self.marks.position < end:
            self._heard.clear()
            await self._heard.wait()

    async def _ends(self, partitions: list[int]) -> dict[tuple[str, int], int]:
        return await self._latest([(topic, number) for topic in self.marks.ids for number in partitions])

    async def _latest(self, places: list[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """Return the next offsets of partitions; waits while Kafka is away."""
        while True:
            try:
                return await asyncio.to_thread(end_offsets, self._kafka, places)
            except (ck.KafkaException, TimeoutError) as error:
                self._warn(f"kafka: the ends of {len(places)} partitions are not known yet: {error}")
                await asyncio.sleep(_TRY_AGAIN_S)
