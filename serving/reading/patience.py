"""A time limit for somebody else: what this process is late by itself does not count."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

_STEPS = 9


@asynccontextmanager
async def patience(seconds: float) -> AsyncIterator[None]:
    """Wait so long at most, in steps, between each of which the event loop has looked for an answer.

    With ``asyncio.timeout`` a loop that was busy for longer than the limit gives up an answer that lies ready: under a
    load of its own the service would say that the store is away.

    Raises
    ------
    TimeoutError
        When the time is over.
    """
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(None) as limit:
        timer = loop.call_later(seconds / _STEPS, lambda: step(_STEPS - 1))

        def step(left: int) -> None:
            nonlocal timer
            if left:
                timer = loop.call_later(seconds / _STEPS, step, left - 1)
            else:
                limit.reschedule(loop.time())

        try:
            yield
        finally:
            timer.cancel()
