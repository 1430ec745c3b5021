"""A real worker in a process of its own, and what its status says."""

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

from contracts.redis import Keys
from infra.errors import HeadraceError
from infra.redis import connect
from parts.place import Place, environment

_START_S = 120.0
_STOP_S = 60.0
_POLL_S = 0.25
_TICKS = os.sysconf("SC_CLK_TCK")


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
        self._keys = Keys(place.settings.namespace, place.settings.redis.prefix)
        self._redis = connect(place.settings.redis.url)
        self._cpu_at_start = 0.0

    def status(self) -> dict[str, Any]:
        """Return what it said of itself last; empty before the first word.

        Raises
        ------
        HeadraceError
            When it has ended.
        """
        if self._process.poll() is not None:
            assert self._process.stderr
            raise HeadraceError(f"the worker has ended: {self._process.stderr.read().strip()[-2000:]}")
        for key in self._redis.scan_iter(self._keys.statuses()):
            value = self._redis.get(key)
            status: dict[str, Any] = orjson.loads(value) if value else {}
            if str(status.get("worker", "")).endswith(f"-{self._process.pid}"):
                return status
        return {}

    def wait_until(self, condition: Callable[[dict[str, Any]], bool], what: str, timeout: float) -> dict[str, Any]:
        """Return the first status for which the condition holds.

        Raises
        ------
        HeadraceError
            When none does within ``timeout`` seconds, or the worker ends.
        """
        deadline = time.monotonic() + timeout
        while True:
            status = self.status()
            if status and condition(status):
                return status
            if time.monotonic() > deadline:
                raise HeadraceError(f"the worker has not {what} within {timeout:.0f} s; its status: {status}")
            time.sleep(_POLL_S)

    def wait_until_done(self, events: int) -> dict[str, Any]:
        """Return the status after all events are applied and their lists written, with the CPU time it took."""

        def done(status: dict[str, Any]) -> bool:
            nonlocal lists
            still, lists = status["lists_written"] == lists, status["lists_written"]
            return status["events_applied"] + status["dead_letters"] >= events and still

        lists = -1
        status = self.wait_until(done, f"applied {events:,} events", 30 + events / 500)
        return status | {"cpu_s": round(self._cpu() - self._cpu_at_start, 2)}

    def begin(self) -> None:
        """Wait until it is ready, and take its CPU time from now on."""
        self.wait_until(lambda status: bool(status["ready"]), "started", _START_S)
        self._cpu_at_start = self._cpu()

    def _cpu(self) -> float:
        """Return the CPU time in s that it has used; 0 where the system does not say."""
        stat = Path(f"/proc/{self._process.pid}/stat")
        if not stat.exists():
            return 0.0
        fields = stat.read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS


@contextmanager
def running_worker(place: Place) -> Iterator[Worker]:
    """Start a worker, wait until it is ready, and end it in order after the block."""
    headrace = Path(sys.executable).with_name("headrace")
    process = subprocess.Popen(
        [str(headrace), "worker", "--data", place.settings.data],
        stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment(),
    )  # fmt: skip
    try:
        worker = Worker(place, process)
        worker.begin()
        yield worker
        process.send_signal(signal.SIGTERM)
        process.wait(_STOP_S)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
