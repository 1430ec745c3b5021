"""The barrier: what becomes durable, and in which order.

1. Kafka has acknowledged the learning records and dead letters of everything applied so far;
2. the changed user states go to Redis, and last the offsets that they contain;
3. the same offsets are committed to Kafka.

Where the store refuses a partition, because it has another owner, or has gone back behind what this worker wrote, the
barrier does not pass: nothing more is said to be durable, and the owner is told (:mod:`streams.owning.ownership`).

A crash between any two steps repeats at most the input since the last barrier: states skip what they contain, the
readers of the learning log skip what they have. So every event counts exactly once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from contracts.redis import encode_vector
from infra import failpoints
from models.engine import Engine
from models.picture import Picture
from serving.store.fence import WentBack
from serving.store.store import Store
from streams.applying.epochs import Epochs
from streams.applying.outbox import Outbox, stubbornly
from streams.learning.log import LearningLog

T = TypeVar("T")
Offsets = Mapping[tuple[str, int], int]


class Owner(Protocol):
    """Who is told what the store says of this worker's ownership."""

    async def refused(self, numbers: frozenset[int], epochs: Mapping[int, int]) -> None:
        """Hear that partitions have another owner than under ``epochs``."""

    async def went_back(self, epochs: Mapping[int, int]) -> None:
        """Hear that the store has gone back behind what was written under ``epochs``."""


class Barrier:
    """Makes durable what was applied.

    Parameters
    ----------
    engine, log, store, outbox, epochs
        Of this worker.
    owner : callable
        Returns who is told of refusals.
    home : functools.lru_cache
        User → the partition that his state belongs to.
    commit : callable
        Takes the offsets whose events are durable.
    """

    def __init__(
        self,
        engine: Engine,
        log: LearningLog,
        store: Store,
        outbox: Outbox,
        epochs: Epochs,
        owner: Callable[[], Owner],
        home: Any,
        commit: Callable[[Offsets], None],
    ) -> None:
        self._engine, self._log, self._store, self._outbox = engine, log, store, outbox
        self._epochs, self._owner, self._home, self._commit = epochs, owner, home, commit
        self._thread = ThreadPoolExecutor(1, "barrier")
        self.passed_at = time.monotonic()

    def prepare(self, applied: Offsets) -> Awaitable[bool]:
        """Take a consistent picture of the states; what is returned, once awaited, makes it durable and says if it is.

        To be called between batches, never within one, and again only when the one before has passed. New lists do not
        wait for the states to be stored.
        """
        epochs = self._epochs.now
        picture = self._engine.users.changed()
        vectors = self._engine.vectors(picture.names)
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def step() -> None:
            # In its place behind the batches that it covers, because these hand their records to the producer.
            failpoints.before("flush")
            await self._outbox.call(self._log.flush)
            failpoints.after("flush")
            acknowledged.set_result(None)

        async def passed() -> bool:
            await acknowledged
            are_stored = await self._are_stored(picture, vectors, applied, epochs)
            if are_stored:
                self._commit(applied)
                self.passed_at = time.monotonic()
            return are_stored

        self._outbox.put(step)
        return passed()

    async def _are_stored(
        self,
        picture: Picture,
        vectors: list[tuple[str, NDArray[np.float32]]],
        applied: Offsets,
        epochs: Mapping[int, int],
    ) -> bool:
        try:
            failpoints.before("states")
            refused = await self._call(self._write, picture, vectors, epochs)
            failpoints.after("states")
            if not refused:
                failpoints.before("applied")
                refused = await self._call(
                    self._store.write_applied, applied, self._epochs.applied, epochs, self._epochs.run_ids
                )
                failpoints.after("applied")
        except WentBack:
            await self._owner().went_back(epochs)
            return False
        if refused:
            await self._owner().refused(refused, epochs)
            return False
        self._epochs.applied.update(applied)
        return True

    def _write(
        self, picture: Picture, vectors: list[tuple[str, NDArray[np.float32]]], epochs: Mapping[int, int]
    ) -> frozenset[int]:
        # Here, in a thread: encoding hundreds of states would keep the event loop from new events.
        states = [(self._home(user), user, state) for user, state in picture.encoded()]
        published = [(self._home(user), user, encode_vector(vector)) for user, vector in vectors]
        erased = [(self._home(user), user) for user in picture.erased]
        if erased:
            self._home.cache_clear()  # it remembers users to save work
        return self._store.write_states(states, published, epochs, erased)

    async def _call(self, function: Callable[..., T], *args: Any) -> T:
        return await stubbornly(self._thread, self._outbox.log.warning, function, *args)
