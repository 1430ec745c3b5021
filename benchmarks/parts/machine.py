"""On what a benchmark ran: figures without it say nothing."""

from __future__ import annotations

import os
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

import redis

from infra.jars import KAFKA_VERSION

_LIBRARIES = ("headrace", "confluent-kafka", "faust-streaming", "redis", "numpy", "numba", "river", "msgspec", "orjson")


def machine() -> dict[str, Any]:
    """Return processor, cores, memory in GB and operating system."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return {
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "memory_gb": round(memory / 1e9, 1),
        "system": platform.platform(),
    }


def versions(url: str) -> dict[str, str]:
    """Return the versions of Python, the libraries, Kafka and the Redis at ``url``."""
    server = redis.Redis.from_url(url).info("server")
    return {**libraries(), "kafka": KAFKA_VERSION, "redis-server": str(server["redis_version"])}


def libraries() -> dict[str, str]:
    """Return the versions of Python and the libraries."""
    return {"python": platform.python_version(), **{name: version(name) for name in _LIBRARIES}}


def cpu_s(pid: int) -> float:
    """Return the CPU time in s that a process has used; 0 where the system does not say."""
    stat = Path(f"/proc/{pid}/stat")
    if not stat.exists():
        return 0.0
    fields = stat.read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def load() -> float:
    """Return how many processes wanted to run during the last minute: more than there are cores is a noisy figure."""
    return round(os.getloadavg()[0], 2)


def _cpu() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.processor() or platform.machine())
