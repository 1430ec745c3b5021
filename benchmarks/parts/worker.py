"""A real worker in a process of its own, and what it says of itself."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson

from benchmarks.parts.machine import cpu_s
from benchmarks.parts.place import ROOT, Place, environment
from contracts.redis import Keys
from infra.errors import HeadraceError
from infra.redis import connect

_START_S = 120.0
_STOP_S = 60.0
_POLL_S = 0.25
_SETTLED_MS = 400  # lists are written, and counted, that soon after their events


class Worker:
    """A running worker.

    Parameters
    ----------
    place : Place
        Where it works.
    process : subprocess.Popen
        Of ``headrace worker``.
    """

    def __init__(self, place: Place, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._workers = Keys(place.settings.namespace, place.settings.redis.prefix).workers
        self._redis = connect(place.url)
        self.wait_until(lambda status: bool(status["ready"] and status["partitions"]), "become ready", _START_S)
        self._cpu_at_start = cpu_s(self._process.pid)

    def wait_until_done(self, events: int) -> dict[str, Any]:
        """Return what it says once all events are applied and their lists written, with the CPU time it took in s.

        The CPU time counts from when it was seen to be ready, up to a second after its first event.
        """

        def all_applied(status: dict[str, Any]) -> bool:
            return bool(status["events_applied"] + status["duplicates"] + status["dead_letters"] >= events)

        applied = self.wait_until(all_applied, f"applied {events:,} events", 60 + events / 500)
        seen = applied["time"]
        status = self.wait_until(lambda status: status["time"] >= seen + _SETTLED_MS, "reported again", _START_S)
        return status | {"cpu_s": round(cpu_s(self._process.pid) - self._cpu_at_start, 2)}

    def wait_until(self, condition: Callable[[dict[str, Any]], bool], what: str, timeout: float) -> dict[str, Any]:
        """Return the first status for which the condition holds.

        Raises
        ------
        HeadraceError
            When none does within ``timeout`` seconds, or the worker ends.
        """
        deadline = time.monotonic() + timeout
        while True:
            if self._process.poll() is not None:
                assert self._process.stderr
                raise HeadraceError(f"the worker has ended: {self._process.stderr.read().strip()[-2000:]}")
            status = self.status()
            if status and condition(status):
                return status
            if time.monotonic() > deadline:
                raise HeadraceError(f"the worker has not {what} within {timeout:.0f} s; it says {status}")
            time.sleep(_POLL_S)

    def resident_mb(self) -> float:
        """Return the memory of its process, in MB."""
        pages = int(Path(f"/proc/{self._process.pid}/statm").read_text().split()[1])
        return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)

    def status(self) -> dict[str, Any]:
        """Return what it says of itself now; nothing before its first word."""
        statuses = map(orjson.loads, self._redis.hvals(self._workers))
        return next((status for status in statuses if status["pid"] == self._process.pid), {})


@contextmanager
def running_worker(place: Place, config: Path | None = None) -> Iterator[Worker]:
    """Start a worker, wait until it is ready, and end it in order after the block.

    Parameters
    ----------
    place : Place
    config : Path, optional
        Settings file; defaults without.
    """
    command = [sys.executable, "-m", "commands", "worker", "--home", place.settings.home]
    process = subprocess.Popen(
        [*command, "--config", str(config)] if config else command,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        cwd=ROOT,
    )
    try:
        yield Worker(place, process)
        process.send_signal(signal.SIGTERM)
        process.wait(_STOP_S)
    finally:
        process.kill()
        process.wait()
