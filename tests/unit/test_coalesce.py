"""Many askers share a round trip, and none of them suffers from another."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

import pytest

from serving.reading.coalesce import Coalesced


class Echo:
    """Answers each question with itself, an error with an error, once it may."""

    def __init__(self) -> None:
        self.exchanges: list[list[str]] = []
        self.may_answer = asyncio.Event()

    async def __call__(self, questions: list[str]) -> Sequence[str | Exception]:
        self.exchanges.append(questions)
        await self.may_answer.wait()
        if "lost" in questions:
            raise ConnectionError("lost")
        return [ValueError(question) if question == "bad" else question for question in questions]


async def asked_while_busy(coalesced: Coalesced[str, str], echo: Echo, *questions: str) -> list[asyncio.Task[str]]:
    """Ask "first", and the others while its exchange is under way."""
    tasks = [asyncio.create_task(coalesced.ask(question)) for question in ("first", *questions)]
    await asyncio.sleep(0)
    assert echo.exchanges == [["first"]]
    return tasks


def test_questions_that_come_during_an_exchange_go_out_in_one() -> None:
    async def run() -> None:
        echo = Echo()
        tasks = await asked_while_busy(Coalesced(echo), echo, "a", "b", "c")
        echo.may_answer.set()
        assert await asyncio.gather(*tasks) == ["first", "a", "b", "c"]
        assert echo.exchanges == [["first"], ["a", "b", "c"]]

    asyncio.run(run())


def test_an_error_among_the_answers_is_raised_to_its_asker_alone() -> None:
    async def run() -> None:
        echo = Echo()
        tasks = await asked_while_busy(Coalesced(echo), echo, "a", "bad", "c")
        echo.may_answer.set()
        _, a, bad, c = await asyncio.gather(*tasks, return_exceptions=True)
        assert (a, c) == ("a", "c")
        assert isinstance(bad, ValueError)

    asyncio.run(run())


def test_a_failed_exchange_is_raised_to_all_of_its_askers_and_the_next_one_works() -> None:
    async def run() -> None:
        echo = Echo()
        coalesced = Coalesced(echo)
        tasks = await asked_while_busy(coalesced, echo, "lost", "c")
        echo.may_answer.set()
        first, *others = await asyncio.gather(*tasks, return_exceptions=True)
        assert first == "first"
        assert [type(answer) for answer in others] == [ConnectionError, ConnectionError]
        with pytest.raises(ConnectionError):
            await coalesced.ask("lost")
        assert await coalesced.ask("d") == "d"

    asyncio.run(run())


@pytest.mark.parametrize("leaver", [0, 1])
def test_an_asker_who_leaves_takes_no_other_with_him(leaver: int) -> None:
    async def run() -> None:
        echo = Echo()
        tasks = await asked_while_busy(Coalesced(echo), echo, "a", "b")
        tasks.pop(leaver).cancel()
        await asyncio.sleep(0)
        echo.may_answer.set()
        assert (await asyncio.gather(*tasks))[-1] == "b"

    asyncio.run(run())
