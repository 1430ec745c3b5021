"""Examines a Redis: is it one that user states can be entrusted to?"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from infra.findings import Finding, ok, problem, warning
from infra.redis import MINIMUM

_NEARLY_FULL = 0.9
_MB = 1_000_000


def examine(info: Mapping[str, Any]) -> Iterator[Finding]:
    """Yield what Redis' own ``INFO`` says of version, role, memory and persistence.

    Parameters
    ----------
    info : mapping
        As redis-py returns it.
    """
    yield _version(str(info["redis_version"]))
    if info["role"] != "master":
        yield problem("Redis role", f"it is a {info['role']} and refuses writes", "let redis.url name the master")
    yield from _memory(info)
    yield from _persistence(info)


def _version(version: str) -> Finding:
    parts = tuple(int(part) for part in version.split(".")[:2])
    if parts < MINIMUM:
        return problem("Redis version", version, f"install Redis {'.'.join(map(str, MINIMUM))} or later")
    return ok("Redis version", version)


def _memory(info: Mapping[str, Any]) -> Iterator[Finding]:
    used, most, policy = int(info["used_memory"]), int(info["maxmemory"]), str(info["maxmemory_policy"])
    if not most:
        yield ok("Redis memory", f"{used // _MB:,} MB used, no limit")
        return
    text = f"{used // _MB:,} of {most // _MB:,} MB used, policy {policy}"
    if policy != "noeviction":
        yield problem("Redis memory", f"{text}: user states would be evicted", "set maxmemory-policy noeviction")
    elif used > _NEARLY_FULL * most:
        yield warning("Redis memory", f"{text}: when it is full, workers wait", "raise maxmemory")
    else:
        yield ok("Redis memory", text)


def _persistence(info: Mapping[str, Any]) -> Iterator[Finding]:
    if info.get("aof_enabled"):
        if info.get("aof_last_write_status", "ok") != "ok":
            yield problem("Redis persistence", "its last append failed", "give its disk room, then look again")
        else:
            yield ok("Redis persistence", "append-only file")
    elif info.get("rdb_last_bgsave_status", "ok") != "ok":
        yield problem("Redis persistence", "its last snapshot failed", "give its disk room, then look again")
    else:
        yield warning(
            "Redis persistence",
            "snapshots at most: what a restart takes is applied again from Kafka, or replayed where it takes all",
            "set appendonly yes",
        )
