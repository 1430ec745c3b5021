"""Owning partitions: from where to read them, what must be durable before they are let go, and what to forget.

An owner's epoch is raised at each assignment. It stands at the head of the versions of the lists that he writes, and
whatever he writes is refused once there is another owner (:mod:`serving.store.fence`). A worker that is refused drops
what it holds of the partition and joins the group anew, since only the group knows who owns it. It does the same when
the store has gone back (restarted, restored, emptied): an owner begins at what the store holds, so what it lost is
applied again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from infra import failpoints
from infra.errors import StoreError
from models.users import UserTable
from serving.store.store import Store
from streams.applying.applier import Applier
from streams.applying.attempts import Attempts
from streams.applying.epochs import Epochs
from streams.applying.outbox import insistently
from streams.consuming.sources import Sources
from streams.owning.barrier import Barrier

Partition = tuple[str, int]


class Group(Protocol):
    """What an owner asks of the group consumer."""

    def rejoin(self, numbers: Iterable[int]) -> None:
        """Drop what was fetched of some numbers, and join the group anew."""


class Ownership:
    """Takes and lets go of partitions, as the group assigns them.

    Parameters
    ----------
    users, store, applier, barrier, epochs, sources, attempts
        Of this worker.
    group : Group
    warn : callable
    taken : callable
        Told each time that partitions were taken; in the consumer's thread.
    """

    def __init__(
        self,
        users: UserTable,
        store: Store,
        applier: Applier,
        barrier: Barrier,
        epochs: Epochs,
        sources: Sources,
        attempts: Attempts,
        group: Callable[[], Group],
        warn: Callable[[str], None],
        taken: Callable[[], None],
    ) -> None:
        self._users, self._store, self._applier, self._barrier = users, store, applier, barrier
        self._epochs, self._group, self._warn, self._taken = epochs, group, warn, taken
        self._sources, self._attempts = sources, attempts
        self._one_barrier = asyncio.Lock()

    def take(self, partitions: list[Partition], committed: Mapping[Partition, int]) -> dict[Partition, int]:
        """Raise the partitions' epochs; read from the smaller of Kafka's commit and what the states contain.

        Called in the consumer's thread; waits while the store is away.

        Raises
        ------
        StoreError
            When states are missing that the group's commits say there were.
        BrokerError
            When the topics are not those that the states were made from.
        """
        return insistently(self._warn, self._take, partitions, committed)

    def _take(self, partitions: list[Partition], committed: Mapping[Partition, int]) -> dict[Partition, int]:
        numbers = sorted({partition for _, partition in partitions})
        # The epochs first: from then on nobody else writes what is read here.
        failpoints.before("epoch")
        epochs = self._store.raise_epochs(numbers)
        failpoints.after("epoch")
        run_id = self._store.run_id()
        applied = self._store.applied(numbers)
        for place, offset in committed.items():
            if offset > 0 and place not in applied:
                raise StoreError(
                    f"Redis holds no states of {place[0]} partition {place[1]}, though its events were applied up to "
                    f"offset {offset}: it was emptied; rebuild this namespace with `headrace replay`"
                )
        ends = self._sources.check({place: max(applied.get(place, 0), committed.get(place, 0)) for place in partitions})
        known = {place: applied[place] for place in partitions if place in applied}
        starts = {place: min(offset, committed.get(place, offset)) for place, offset in known.items()}
        self._attempts.begin({place: starts.get(place, 0) for place in partitions}, ends)
        for place in partitions:
            self._epochs.applied.pop(place, None)
        self._epochs.applied |= known
        self._epochs.run_ids |= dict.fromkeys(numbers, run_id)
        self._epochs.gain(epochs)
        self._taken()
        return starts

    async def make_durable(self) -> None:
        """Pass a barrier over everything applied so far."""
        async with self._one_barrier:
            passed = await self._applier.between_batches(lambda: self._barrier.prepare(dict(self._applier.applied)))
            if await passed:
                # Not beside a batch: it may be waiting for states of some of its users, and count on the others.
                await self._applier.between_batches(self._users.evict)
        await self._attempts.passed(self._epochs.applied)

    async def release(self, numbers: frozenset[int]) -> dict[Partition, int]:
        """Make everything applied durable and forget the users of some partitions; return the offsets to commit."""
        await self.make_durable()
        held = numbers & self._epochs.now.keys()  # the store may just have refused some
        await self._attempts.ended(held)
        await self.lose(numbers)
        return {place: offset for place, offset in self._epochs.applied.items() if place[1] in held}

    async def lose(self, numbers: frozenset[int]) -> None:
        """Forget users and offsets that are not durable: their next owner goes on from what is."""
        self._epochs.drop(numbers)

        def forget() -> None:
            self._applier.forget(numbers)
            home = self._applier.home
            self._users.forget(user for user in (*self._users, *self._users.erased()) if home(user) in numbers)

        await self._applier.between_batches(forget)

    async def refused(self, numbers: frozenset[int], epochs: Mapping[int, int]) -> None:
        """Drop partitions that have another owner: what was written under ``epochs`` was refused there."""
        # Of an earlier ownership nothing is held any more.
        numbers = frozenset(number for number in numbers if epochs.get(number) == self._epochs.now.get(number, -1))
        if numbers:
            listed = ", ".join(map(str, sorted(numbers)))
            await self._drop(numbers, f"partition {listed} has another owner: what was held of it is dropped")

    async def went_back(self, epochs: Mapping[int, int]) -> None:
        """Drop everything, because the store may lack what was written: begin again at what it holds."""
        if epochs is self._epochs.now:
            await self._drop(frozenset(epochs), "the store was restarted or restored: going on from what it holds")

    async def _drop(self, numbers: frozenset[int], why: str) -> None:
        if self._epochs.all:
            # Events may have been accepted on other partitions than their users': only together are they consistent.
            numbers = frozenset(self._epochs.now)
        self._warn(why)
        self._group().rejoin(numbers)
        await self.lose(numbers)
