"""What leaves the worker, in the order in which it was made: one task, one step after the other.

While one step waits for Redis or Kafka, the event loop already applies the next batch. Since a worker's writes keep
their order here, and the store refuses those of a former owner (:mod:`serving.store.fence`), no list is ever replaced
by an older one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar

import mode
import redis
from redis.exceptions import AskError, ClusterError, RedisClusterException, TryAgainError

T = TypeVar("T")
Step = Callable[[], Awaitable[None]]

_RETRY_S = (0.05, 0.1, 0.2, 0.5, 1.0)
# The last is raised when no node answers, or none that knows who has a slot.
_ERRORS = (redis.RedisError, RedisClusterException)
_MOVING = (redis.ReadOnlyError, ClusterError, AskError, TryAgainError)
_NOBODY = ("Redis Cluster cannot be connected", "All slots are not covered", 'Slot "')


class Outbox(mode.Service):
    """Runs steps one by one, in order; a step that raises ends the worker.

    Parameters
    ----------
    crash : callable
        Told of an exception in a step.
    """

    def __init__(self, crash: Callable[[BaseException], None]) -> None:
        super().__init__()
        self._tell_crash = crash
        self._steps: asyncio.Queue[Step] = asyncio.Queue()
        self._thread = ThreadPoolExecutor(1, "outbox")

    def put(self, step: Step) -> None:
        """Append a step. The consumer's window bounds how many there are."""
        self._steps.put_nowait(step)

    @property
    def idle(self) -> bool:
        """Whether nothing waits to leave."""
        return self._steps.empty()

    async def drained(self) -> None:
        """Wait until all steps put so far have run."""
        reached = asyncio.Event()

        async def reach() -> None:
            reached.set()

        self.put(reach)
        await reached.wait()

    async def call(self, function: Callable[..., T], *args: Any) -> T:
        """Run a blocking call in the outbox's thread; while Redis is away, wait and try again with the same bytes."""
        return await stubbornly(self._thread, self.log.warning, function, *args)

    @mode.Service.task
    async def _run(self) -> None:
        while not self.should_stop:
            step = await self._steps.get()
            try:
                await step()
            except Exception as error:
                self._tell_crash(error)
                return


async def stubbornly(
    pool: ThreadPoolExecutor | None, warn: Callable[..., None], function: Callable[..., T], *args: Any
) -> T:
    """Run a blocking call in a thread, again and again while Redis cannot take it but will later."""
    attempt = 0
    while True:
        try:
            return await asyncio.get_running_loop().run_in_executor(pool, function, *args)
        except _ERRORS as error:
            await asyncio.sleep(_pause(attempt, warn, error))
            attempt += 1


def insistently(warn: Callable[..., None], function: Callable[..., T], *args: Any) -> T:
    """Do the same in a thread that may wait itself."""
    attempt = 0
    while True:
        try:
            return function(*args)
        except _ERRORS as error:
            time.sleep(_pause(attempt, warn, error))
            attempt += 1


def _pause(attempt: int, warn: Callable[..., None], error: Exception) -> float:
    """Return how long to wait before the next attempt; raise what no attempt can mend."""
    state = _state(error)
    if state is None:
        raise error
    if attempt % 20 == 0:
        warn("redis is %s; waiting, nothing is lost: %s", state, error)
    return _RETRY_S[min(attempt, len(_RETRY_S) - 1)]


def _state(error: Exception) -> str | None:
    """Return in which state of Redis an error comes that passes by itself or with the operator's help."""
    if isinstance(error, (redis.ConnectionError, redis.TimeoutError, redis.BusyLoadingError)):
        return "away"
    if isinstance(error, redis.OutOfMemoryError):
        return "full: raise its maxmemory"
    if isinstance(error, _MOVING):
        return "moving to another server"
    if isinstance(error, RedisClusterException):
        return "away" if str(error).startswith(_NOBODY) else None
    if str(error).startswith("MISCONF"):
        return "refusing writes because it cannot save them: make room on its disk"
    return None
