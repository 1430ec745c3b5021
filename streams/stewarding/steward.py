"""What belongs to no user, written by one worker: the owner of partition 0.

Lists for everybody, items' neighbours and vectors, what pages say of items, and the checkpoint. Every worker could
write them, since the item model is the same on all. When partition 0 moves, its new owner brings up to date what the
former has not written; a former owner that does not know it yet is refused by its epoch.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping

import confluent_kafka as ck

from infra.errors import BrokerError
from models.engine import Engine
from serving.store.store import STEWARD, Store
from streams.applying.epochs import Epochs
from streams.applying.lists import ListMaker
from streams.applying.outbox import Outbox
from streams.learning.checkpoints import Checkpoints
from streams.stewarding.neighbours import Neighbours
from streams.stewarding.pages import Pages
from streams.stewarding.shared import SharedLists
from streams.stewarding.shelf import Shelf
from streams.watching.pulse import Pulse

Partition = tuple[str, int]


class Steward:
    """Writes what belongs to nobody, while this worker owns partition 0.

    Parameters
    ----------
    engine, store, outbox, epochs, lists, shared, shelf, pages, neighbours, checkpoints
        Of this worker.
    item_partitions : int
        Of the ``items`` topic.
    read_items : callable
        Returns the messages of the ``items`` topic from given offsets to its end; blocks.
    warn : callable
        Of a logger.
    refused : callable
        Told that partition 0 has another owner, and under which epochs this worker had it.
    """

    def __init__(
        self,
        engine: Engine,
        store: Store,
        outbox: Outbox,
        epochs: Epochs,
        *,
        lists: ListMaker,
        shared: SharedLists,
        shelf: Shelf,
        pages: Pages,
        neighbours: Neighbours,
        checkpoints: Checkpoints,
        item_partitions: int,
        read_items: Callable[[Mapping[Partition, int]], list[ck.Message]],
        warn: Callable[..., None],
        refused: Callable[[frozenset[int], Mapping[int, int]], Awaitable[None]],
    ) -> None:
        self._engine, self._store, self._outbox, self._epochs = engine, store, outbox, epochs
        self._lists, self._shared, self._shelf, self._pages = lists, shared, shelf, pages
        self._neighbours, self._checkpoints = neighbours, checkpoints
        self._item_partitions, self._read_items, self._refused = item_partitions, read_items, refused
        self._pulse = Pulse()
        self._warn = warn
        self._epoch: int | None = None  # under which it has taken over

    async def turn(self) -> None:
        """Write the lists for everybody that have changed; take over, or rest, when partition 0 has moved."""
        epoch = self._epochs.steward
        over = self._engine.availability.expire(time.time_ns() // 1_000_000)
        self._lists.note_popular()
        if epoch is None:
            await self._rest()
            return
        if epoch != self._epoch:
            try:
                await self._take_over(epoch)
            except (BrokerError, ck.KafkaException) as error:
                self._warn("what belongs to nobody waits, the item records cannot be read: %s", error)
                return
        self._shelf.introduce()
        changed, gone = self._shared.changed(time.time_ns() // 1_000_000), self._shared.gone()
        # Waited for, so that they do not pile up while the store is away.
        await self._written(lambda: self._store.write_shared(changed, gone, epoch))
        await self._written(lambda: self._store.withhold(over, epoch))
        if self._pulse.due:
            reports = await self._outbox.call(self._store.worker_reports)
            beat = self._pulse.beat(reports, time.time_ns() // 1_000_000)
            if beat is not None:
                await self._written(lambda: self._store.write_beat(beat, epoch))

    async def write_neighbours(self) -> None:
        """Write neighbours of some items."""
        if self._epoch is not None and self._epoch == self._epochs.steward:
            await self._written(self._neighbours.write(self._store, self._epoch))

    async def write_checkpoint(self, epoch: int | None) -> None:
        """Write a checkpoint, if ``epoch`` still is that of partition 0.

        Two checkpoints of one position are equal, whoever writes them; the epoch only saves the work.

        Raises
        ------
        OSError
            When it cannot be written; the one before stays.
        """
        if epoch is not None and await self._outbox.call(self._store.holds, STEWARD, epoch):
            await asyncio.to_thread(self._checkpoints.write, self._engine.items.state())

    async def _rest(self) -> None:
        self._epoch = None
        self._pages.rest()
        self._shelf.introduce()
        self._neighbours.note(await self._outbox.call(self._store.applied, [STEWARD]))

    async def _take_over(self, epoch: int) -> None:
        self._pages.prepare()
        written = await self._outbox.call(self._store.applied, sorted({STEWARD, *range(self._item_partitions)}))
        self._neighbours.take_over(written)
        self._shared.resume(await self._outbox.call(self._store.categories))
        missed = await asyncio.to_thread(self._read_items, written)
        self._pages.take_over(epoch, written, missed)
        withheld = self._engine.availability.all_withheld()
        await self._written(lambda: self._store.withhold(withheld, epoch))
        self._epoch = epoch

    async def _written(self, write: Callable[[], bool]) -> None:
        """Put a write into the outbox, and wait for it."""
        epochs = self._epochs.now
        done = asyncio.Event()

        async def step() -> None:
            accepted = await self._outbox.call(write)
            done.set()
            if not accepted:
                await self._refused(frozenset({STEWARD}), epochs)

        self._outbox.put(step)
        await done.wait()
