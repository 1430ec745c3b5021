"""Clients that exist twice, plain and for asyncio: a test is written once and runs with both."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from typing import Any


class Plain:
    """A client as plain calls, whichever it is.

    Parameters
    ----------
    client : object
    runner : asyncio.Runner, optional
        Runs what the client's methods return, where it is for asyncio.
    """

    def __init__(self, client: Any, runner: asyncio.Runner | None = None) -> None:
        self._client, self._runner = client, runner
        self.called: set[str] = set()

    def __getattr__(self, name: str) -> Callable[..., Any]:
        method = getattr(self._client, name)
        self.called.add(name)
        runner = self._runner
        if runner is None:
            return method  # type: ignore[no-any-return]
        return lambda *args, **kwargs: _plain(runner, method(*args, **kwargs))


def _plain(runner: asyncio.Runner, made: Any) -> Any:
    if hasattr(made, "__anext__"):
        return _each(runner, made)

    async def run() -> Any:
        return await made

    return runner.run(run())


def _each(runner: asyncio.Runner, made: Any) -> Iterator[Any]:
    async def following() -> Any:
        return await anext(made)

    async def close() -> None:
        await made.aclose()

    try:
        while True:
            try:
                yield runner.run(following())
            except StopAsyncIteration:
                return
    finally:
        runner.run(close())
