"""Questions to those nodes of a Cluster that hold their keys, all in one round trip; for one asker at a time."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from redis.asyncio.cluster import ClusterNode, RedisCluster
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import (
    AskError,
    ClusterDownError,
    ConnectionError,
    MovedError,
    RedisClusterException,
    ResponseError,
    TimeoutError,
)

from serving.store.slots import slot_of

Command = tuple[str | bytes | int, ...]
_OUTDATED = (ConnectionError, TimeoutError, ClusterDownError, MovedError)


class ClusterLine:
    """Asks a Cluster as if it were one server, where a question is about one key, or is ``MGET`` or ``SCAN``.

    Cursors of ``SCAN`` name a master too, so that one walk goes through all of them.

    Parameters
    ----------
    url : str
        Of any node.
    """

    def __init__(self, url: str) -> None:
        limits: dict[str, Any] = {"socket_timeout": None, "retry": Retry(NoBackoff(), 0), "protocol": 3}
        limits["require_full_coverage"] = False  # what is there can be read
        self._client = RedisCluster.from_url(url, **limits)

    async def exchange(self, questions: Sequence[Sequence[Command]]) -> list[Any]:
        """Return the answer to the last command of each question; an error that is an answer stands among them.

        What comes before the last steers one connection, and there are several here.

        Raises
        ------
        ConnectionError
            When no node answers.
        """
        commands = [question[-1] for question in questions]
        parts = [
            (place, ("GET", key) if command[0] == "MGET" else command)
            for place, command in enumerate(commands)
            for key in (command[1:] if command[0] == "MGET" else command[:1])
        ]
        told: list[list[Any]] = [[] for _ in commands]
        for (place, _), answer in zip(parts, await self._told([command for _, command in parts]), strict=True):
            told[place].append(answer)
        return [
            _whole(answers) if command[0] == "MGET" else answers[0]
            for command, answers in zip(commands, told, strict=True)
        ]

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def _told(self, commands: Sequence[Command]) -> list[Any]:
        try:
            await self._client.initialize()
            answers = await self._asked(commands)
            if any(isinstance(answer, _OUTDATED) for answer in answers):
                # Who serves which slots has changed since it was last asked, or a connection was lost.
                await self._client.nodes_manager.initialize()
                answers = await self._asked(commands)
        except RedisClusterException as error:
            raise ConnectionError(str(error)) from error
        for place, answer in enumerate(answers):
            if isinstance(answer, AskError) and not isinstance(answer, MovedError):
                answers[place] = await self._redirected(commands[place], answer)
        return answers

    async def _asked(self, commands: Sequence[Command]) -> list[Any]:
        shares: dict[ClusterNode, list[int]] = {}
        masters = sorted(self._client.get_primaries(), key=lambda node: str(node.name))
        sent = []
        for place, command in enumerate(commands):
            if command[0] == "SCAN":
                inner, number = divmod(int(command[1]), len(masters))
                node, command = masters[number], ("SCAN", inner, *command[2:])
            else:
                node = self._client.nodes_manager.get_node_from_slot(slot_of(str(command[1])))
            sent.append(command)
            shares.setdefault(node, []).append(place)
        answers: list[Any] = [None] * len(commands)
        each = (_ask(node, [sent[place] for place in places]) for node, places in shares.items())
        for places, told in zip(shares.values(), await asyncio.gather(*each), strict=True):
            for place, answer in zip(places, told, strict=True):
                scan = commands[place][0] == "SCAN" and not isinstance(answer, Exception)
                answers[place] = _walked(int(commands[place][1]), answer, len(masters)) if scan else answer
        return answers

    async def _redirected(self, command: Command, error: AskError) -> Any:
        """Ask the node to which a slot is just being moved."""
        node = self._client.get_node(error.host, error.port)
        return error if node is None else (await _ask(node, [("ASKING",), command]))[-1]


async def _ask(node: ClusterNode, commands: Sequence[Command]) -> list[Any]:
    connection: Any = node.acquire_connection()
    try:
        await connection.send_packed_command(connection.pack_commands(commands), check_health=False)
        return [await _answer(connection) for _ in commands]
    except (ConnectionError, TimeoutError, OSError) as error:
        return [error if isinstance(error, ConnectionError) else ConnectionError(str(error))] * len(commands)
    finally:
        node.release(connection)


async def _answer(connection: Any) -> Any:
    # redis-py gives up the connection when a reading ends early, so no answer is ever taken for that of another.
    try:
        return await connection.read_response()
    except ResponseError as error:
        return error


def _whole(answers: Sequence[Any]) -> Any:
    return next((answer for answer in answers if isinstance(answer, Exception)), list(answers))


def _walked(cursor: int, answer: Any, masters: int) -> list[Any]:
    """Return what a node answers to SCAN with a cursor that leads on to the next node at its end; 0 after the last."""
    inner, names = int(answer[0]), answer[1]
    number = cursor % masters
    following = inner * masters + number if inner else (number + 1) % masters
    return [str(following).encode(), names]
