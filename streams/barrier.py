"""The barrier: what becomes durable, and in which order.

1. Kafka has acknowledged the learning records and dead letters of everything applied so far;
2. the changed user states go to Redis, and last the offsets that they contain;
3. the same offsets are committed to Kafka.

A crash between any two steps repeats at most the input since the last barrier: states skip what they contain, the
readers of the learning log skip what they have. So every event counts exactly once.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.redis import encode_vector
from models.engine import Engine
from models.picture import Picture
from serving.store import Store
from streams.learning import LearningLog
from streams.outbox import Outbox, stubbornly

Offsets = Mapping[tuple[str, int], int]


class Barrier:
    """Makes durable what was applied.

    Parameters
    ----------
    engine, log, store, outbox
        Of this worker.
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
        home: Any,
        commit: Callable[[Offsets], None],
    ) -> None:
        self._engine, self._log, self._store, self._outbox = engine, log, store, outbox
        self._home, self._commit = home, commit
        self._thread = ThreadPoolExecutor(1, "barrier")
        self.passed_at = time.monotonic()

    def prepare(self, applied: Offsets) -> Awaitable[None]:
        """Take a consistent picture of the states; what is returned, once awaited, makes it durable.

        To be called between batches, never within one, and again only when the one before has passed. New lists do not
        wait for the states to be stored.
        """
        picture = self._engine.users.changed()
        vectors = self._engine.vectors(picture.names)
        acknowledged: asyncio.Future[None] = asyncio.get_running_loop().create_future()

        async def step() -> None:
            # In its place behind the batches that it covers, because these hand their records to the producer.
            await self._outbox.call(self._log.flush)
            acknowledged.set_result(None)

        async def passed() -> None:
            await acknowledged
            await self._call(self._write, picture, vectors)
            await self._call(self._store.write_applied, applied)
            self._commit(applied)
            self._engine.users.evict()
            self.passed_at = time.monotonic()

        self._outbox.put(step)
        return passed()

    def _write(self, picture: Picture, vectors: list[tuple[str, NDArray[np.float32]]]) -> None:
        # Here, in a thread: encoding hundreds of states would keep the event loop from new events.
        states = [(self._home(user), user, state) for user, state in picture.encoded()]
        if picture.forgotten:
            self._store.remove_states([(self._home(user), user) for user in picture.forgotten])
            self._home.cache_clear()  # it remembers users to save work
        self._store.write_states(states, [(user, encode_vector(vector)) for user, vector in vectors])

    async def _call(self, function: Callable[..., None], *args: Any) -> None:
        await stubbornly(self._thread, self._outbox.log.warning, function, *args)
