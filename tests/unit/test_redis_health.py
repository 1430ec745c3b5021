"""Which Redis can be entrusted with user states, by its own INFO."""

from __future__ import annotations

from typing import Any

import pytest

from infra.findings import State
from infra.redis_health import examine

WELL: dict[str, Any] = {
    "redis_version": "7.0.15",
    "role": "master",
    "used_memory": 8_000_000,
    "maxmemory": 0,
    "maxmemory_policy": "noeviction",
    "aof_enabled": 1,
    "aof_last_write_status": "ok",
    "rdb_last_bgsave_status": "ok",
}


def worst(**changes: Any) -> State:
    return max((finding.state for finding in examine(WELL | changes)), key=list(State).index)


def test_a_master_with_an_append_only_file_is_well() -> None:
    assert worst() is State.OK


@pytest.mark.parametrize(
    "changes",
    [
        {"redis_version": "5.0.7"},
        {"role": "slave"},
        {"maxmemory": 10_000_000, "maxmemory_policy": "allkeys-lru"},
        {"aof_last_write_status": "err"},
        {"aof_enabled": 0, "rdb_last_bgsave_status": "err"},
    ],
)
def test_what_would_lose_states_or_refuse_them_is_a_problem_with_a_remedy(changes: dict[str, Any]) -> None:
    assert worst(**changes) is State.PROBLEM
    assert all(finding.remedy for finding in examine(WELL | changes) if finding.state is not State.OK)


@pytest.mark.parametrize("changes", [{"maxmemory": 8_500_000}, {"aof_enabled": 0}])
def test_nearly_full_or_without_a_file_is_a_warning(changes: dict[str, Any]) -> None:
    assert worst(**changes) is State.WARNING
