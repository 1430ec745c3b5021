"""What Redis cannot take now is tried again with the same bytes; what it never will, ends the worker."""

from __future__ import annotations

import pytest
import redis
from redis.exceptions import (
    ClusterDownError,
    MovedError,
    RedisClusterException,
    SlotNotCoveredError,
    TryAgainError,
)

from streams.applying.outbox import insistently

PASSING = [
    redis.ConnectionError("refused"),
    redis.OutOfMemoryError("OOM command not allowed"),
    redis.ReadOnlyError("a replica"),
    ClusterDownError("The cluster is down"),
    MovedError("7 127.0.0.1:7001"),
    TryAgainError("Multiple keys request during rehashing of slot"),
    SlotNotCoveredError('Slot "7" not covered by the cluster.'),
    RedisClusterException("Redis Cluster cannot be connected. Please provide at least one reachable node"),
]
LASTING = [redis.ResponseError("WRONGTYPE"), RedisClusterException("No way to dispatch this command")]


def failing_once(error: Exception) -> object:
    left = [error]

    def call() -> str:
        if left:
            raise left.pop()
        return "done"

    return insistently(lambda *_: None, call)


@pytest.mark.parametrize("error", PASSING, ids=lambda error: type(error).__name__)
def test_what_passes_is_waited_for(error: Exception) -> None:
    assert failing_once(error) == "done"


@pytest.mark.parametrize("error", LASTING, ids=str)
def test_what_does_not_pass_is_raised(error: Exception) -> None:
    with pytest.raises(type(error)):
        failing_once(error)
