"""Commands to those nodes of a Cluster that hold their keys, all in one round trip.

redis-py's own pipeline for a Cluster sends what a node did not answer again, one command after the other: a node that
hangs would cost its time limit as often as it was asked something. Here it costs it once, and the caller decides.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from redis.cluster import RedisCluster
from redis.exceptions import (
    AskError,
    ClusterDownError,
    ConnectionError,
    MovedError,
    RedisError,
    ResponseError,
    SlotNotCoveredError,
    TimeoutError,
    TryAgainError,
)

from serving.store.slots import slot_of

Routed = tuple[str, Sequence[Any]]
"""A key, and the words of a command about it and others in its slot."""
_ELSEWHERE = (MovedError, AskError, TryAgainError)


def is_cluster(client: Any) -> bool:
    """Return whether a client speaks to a Cluster."""
    return isinstance(client, RedisCluster)


def together(client: Any, commands: Sequence[Routed]) -> list[Any]:
    """Return the answers to commands, in their order, of one server or a Cluster, in one round trip.

    Raises
    ------
    RedisError
        When a node does not answer, or refuses any of them.
    """
    if not is_cluster(client):
        pipeline = client.pipeline(transaction=False)
        for _, words in commands:
            pipeline.execute_command(*words)
        return list(pipeline.execute())
    answers = scatter(client, commands)
    for answer in answers:
        if isinstance(answer, Exception):
            raise answer
    return answers


def values(client: Any, keys: Sequence[str]) -> list[bytes | None]:
    """Return the values of keys as ``MGET`` does, wherever they lie; raises as :func:`together` does."""
    if not is_cluster(client):
        found: list[bytes | None] = client.mget(keys)
        return found
    return together(client, [(key, ("GET", key)) for key in keys])


def scatter(client: RedisCluster, commands: Sequence[Routed]) -> list[Any]:
    """Return what the nodes answer, in the order of the commands; an error that is an answer stands among them.

    Commands to one node keep their order, those to several have none.

    Raises
    ------
    RedisError
        When a node does not answer: which of the commands were run is not known then.
    """
    answers = _sent(client, commands)
    places = [place for place, answer in enumerate(answers) if isinstance(answer, _ELSEWHERE)]
    if any(isinstance(answers[place], MovedError) for place in places):
        client.nodes_manager.initialize()
        for place, answer in zip(places, _sent(client, [commands[place] for place in places]), strict=True):
            answers[place] = answer
    for place in places:  # of a slot that is just being moved, one by one
        if isinstance(answers[place], _ELSEWHERE):
            answers[place] = _redirected(client, commands[place][1])
    if any(isinstance(answer, ClusterDownError) for answer in answers):
        client.nodes_manager.initialize()  # for the caller's next attempt
    return answers


def _sent(client: RedisCluster, commands: Sequence[Routed]) -> list[Any]:
    manager = client.nodes_manager
    answers: list[Any] = [None] * len(commands)
    held: list[tuple[Any, Any, list[int]]] = []
    unread = set[int]()
    try:
        shares: dict[Any, list[int]] = {}
        for place, (key, _) in enumerate(commands):
            shares.setdefault(manager.get_node_from_slot(slot_of(key)), []).append(place)
        for node, places in shares.items():
            pool = client.get_redis_connection(node).connection_pool
            connection: Any = pool.get_connection()
            held.append((pool, connection, places))
        for number, (_, connection, places) in enumerate(held):
            unread.add(number)
            connection.send_packed_command(connection.pack_commands([commands[place][1] for place in places]))
        for number, (_, connection, places) in enumerate(held):
            for place in places:
                answers[place] = _answer(connection)
            unread.discard(number)
    except (ConnectionError, TimeoutError, SlotNotCoveredError):
        manager.initialize()  # another node may serve these slots now
        raise
    finally:
        for number, (pool, connection, _) in enumerate(held):
            if number in unread:
                connection.disconnect()
            pool.release(connection)
    return answers


def _answer(connection: Any) -> Any:
    try:
        return connection.read_response()
    except ResponseError as error:
        return error


def _redirected(client: Any, words: Sequence[Any]) -> Any:
    try:
        return client.execute_command(*words)
    except RedisError as error:
        return error
