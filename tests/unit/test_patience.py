"""A time limit that does not count what the process itself is late by."""

from __future__ import annotations

import asyncio
import time

import pytest

from serving.reading.patience import patience


async def asked(busy_s: float, answer_s: float | None, limit_s: float) -> str:
    """Ask for what is there after some seconds, while this loop does nothing for others."""
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
    if answer_s is not None:
        asyncio.get_running_loop().call_later(answer_s, answer.set_result, "answer")
    asyncio.get_running_loop().call_soon(time.sleep, busy_s)
    async with patience(limit_s):
        return await answer


def test_an_answer_that_lies_ready_is_taken_however_late_the_loop_is() -> None:
    assert asyncio.run(asked(busy_s=0.2, answer_s=0.0, limit_s=0.05)) == "answer"


def test_without_an_answer_the_time_is_over() -> None:
    with pytest.raises(TimeoutError):
        asyncio.run(asked(busy_s=0.0, answer_s=None, limit_s=0.05))


def test_what_is_cancelled_from_outside_is_cancelled() -> None:
    async def run() -> None:
        task = asyncio.create_task(asked(busy_s=0.0, answer_s=None, limit_s=60))
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
