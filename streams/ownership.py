"""Owning partitions: from where to read them, what must be durable before they are let go, and what to forget.

An owner's epoch is raised at each assignment; it stands at the head of the versions of the lists that he writes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from infra.errors import StoreError
from models.users import UserTable
from serving.store import Store
from streams import failpoints
from streams.applier import Applier
from streams.attempts import Attempts
from streams.barrier import Barrier
from streams.sources import Sources

Partition = tuple[str, int]


class Ownership:
    """Takes and lets go of partitions, as the group assigns them.

    Parameters
    ----------
    users, store, applier, barrier, sources, attempts
        Of this worker.
    """

    def __init__(
        self,
        users: UserTable,
        store: Store,
        applier: Applier,
        barrier: Barrier,
        sources: Sources,
        attempts: Attempts,
    ) -> None:
        self._sources, self._attempts = sources, attempts
        self._users, self._store, self._applier, self._barrier = users, store, applier, barrier
        self._one_barrier = asyncio.Lock()
        self._epochs: dict[int, int] = {}

    def epoch(self, user: str) -> int:
        """Return the epoch under which this worker owns a user's partition."""
        return self._epochs.get(self._applier.home(user), 0)

    def take(self, partitions: list[Partition], committed: Mapping[Partition, int]) -> dict[Partition, int]:
        """Raise the partitions' epochs; read from the smaller of Kafka's commit and what the states contain.

        Called in the consumer's thread.

        Raises
        ------
        StoreError
            When states are missing that the group's commits say there were.
        BrokerError
            When the topics are not those that the states were made from.
        """
        numbers = sorted({partition for _, partition in partitions})
        applied = self._store.applied(numbers)
        for (topic, partition), offset in committed.items():
            if offset > 0 and (topic, partition) not in applied:
                raise StoreError(
                    f"Redis holds no states of {topic} partition {partition}, though its events were applied up to "
                    f"offset {offset}: it was emptied; rebuild this namespace with `headrace replay`"
                )
        reached = {place: max(applied.get(place, 0), committed.get(place, 0)) for place in partitions}
        ends = self._sources.check(reached)
        failpoints.before("epoch")
        for number in numbers:
            self._epochs[number] = self._store.raise_epoch(number)
        failpoints.after("epoch")
        known = [place for place in partitions if place in applied]
        starts = {place: min(applied[place], committed.get(place, applied[place])) for place in known}
        self._attempts.begin({place: starts.get(place, 0) for place in partitions}, ends)
        return starts

    async def make_durable(self) -> None:
        """Pass a barrier over everything applied so far."""
        async with self._one_barrier:
            applied = dict(self._applier.applied)
            passed = await self._applier.between_batches(lambda: self._barrier.prepare(dict(self._applier.applied)))
            await passed
        await self._attempts.passed(applied)

    async def release(self) -> dict[Partition, int]:
        """Make everything applied durable and forget the users, whose next owner may be another; return the offsets."""
        await self.make_durable()
        await self._attempts.ended(self._epochs.keys())
        return await self._forgotten()

    async def lose(self) -> None:
        """Forget users and offsets that are not durable: their next owner goes on from what is."""
        await self._forgotten()

    async def _forgotten(self) -> dict[Partition, int]:
        def forget() -> dict[Partition, int]:
            offsets, self._applier.applied = self._applier.applied, {}
            self._users.clear()
            return offsets

        offsets: dict[Partition, int] = await self._applier.between_batches(forget)
        return offsets
