"""One round trip for many askers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Generic, TypeVar

Q = TypeVar("Q")
A = TypeVar("A")


class Coalesced(Generic[Q, A]):
    """Questions that come while an exchange is under way go out together in the next one.

    Under load most of the cost of a small question is its own round trip. So a busy service makes few large exchanges,
    and an idle one asks at once.

    Parameters
    ----------
    exchange : async function of a list of questions
        Returns as many answers, in order; an exception among them is raised to its asker alone. What it raises itself
        is raised to all askers. Never called while a call is under way.
    """

    def __init__(self, exchange: Callable[[list[Q]], Awaitable[Sequence[A | Exception]]]) -> None:
        self._exchange = exchange
        self._waiting: list[tuple[Q, asyncio.Future[A]]] = []
        self._busy = False
        self._task: asyncio.Task[None] | None = None  # held, or the loop would let go of it

    async def ask(self, question: Q) -> A:
        """Return the answer to one question."""
        if self._busy:
            future: asyncio.Future[A] = asyncio.get_running_loop().create_future()
            self._waiting.append((question, future))
            return await future
        self._busy = True
        try:
            (answer,) = await self._exchange([question])
        finally:
            # What has come in the meantime does not share this asker's fate.
            self._task = asyncio.create_task(self._drain()) if self._waiting else None
            self._busy = self._task is not None
        if isinstance(answer, Exception):
            raise answer
        return answer

    async def _drain(self) -> None:
        try:
            while self._waiting:
                asked, self._waiting = self._waiting, []
                answers = await self._answers([question for question, _ in asked])
                for (_, future), answer in zip(asked, answers, strict=True):
                    if future.done():  # its asker has gone
                        continue
                    if isinstance(answer, Exception):
                        future.set_exception(answer)
                    else:
                        future.set_result(answer)
        finally:
            self._busy = False

    async def _answers(self, questions: list[Q]) -> Sequence[A | Exception]:
        try:
            return await self._exchange(questions)
        except Exception as error:
            return [error] * len(questions)
