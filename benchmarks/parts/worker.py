"""A worker in a process of its own, running or not, and what it says of itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import orjson

from benchmarks.parts.machine import cpu_s
from benchmarks.parts.place import ROOT, environment
from contracts.redis import Keys
from infra.errors import HeadraceError, StoreError
from infra.failpoints import VARIABLE
from infra.redis import connect
from infra.settings import Settings

TIMEOUT_S = 300.0  # the first start compiles
_STOP_S = 120.0
_POLL_S = 0.05
_SETTLED_MS = 400  # lists are written, and counted, that soon after their events


class Worker:
    """A ``headrace worker`` with a static identity, so that whoever comes back goes on at once.

    Parameters
    ----------
    settings : Settings
        Of the worker whole, with the addresses of Kafka and Redis; see :func:`with_settings`.
    name : str
        Its identity.
    respawn : bool
        Whether a process stays behind it and starts it again when it crashes.
    """

    def __init__(self, settings: Settings, name: str = "one", *, respawn: bool = False) -> None:
        self._respawn = respawn
        self.name, self.namespace, self.starts = name, settings.namespace, 0
        self._url = settings.redis.url
        self._workers = Keys(settings.namespace, settings.redis.prefix).workers
        settings = with_settings(settings, worker={"instance": name})
        config = settings.home_dir / f"{settings.namespace}-{name}.toml"
        config.parent.mkdir(parents=True, exist_ok=True)
        config.write_text(_toml(msgspec.to_builtins(settings)))
        self._errors = config.with_suffix(".log")
        self._command = [sys.executable, "-m", "commands", "worker", "--config", str(config)]
        self._command += ["--respawn"] * respawn
        self._process: subprocess.Popen[bytes] | None = None
        self._cpu_before = 0.0

    @property
    def runs(self) -> bool:
        """Whether there is a process, be it asleep."""
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int:
        """Of the process that works, or of the last; 0 while there is none but the one that stays behind."""
        assert self._process is not None
        own = self._process.pid
        if not self._respawn:
            return own
        try:
            return int(Path(f"/proc/{own}/task/{own}/children").read_text() or 0)
        except (FileNotFoundError, ProcessLookupError):  # it has given up
            return 0

    def start(self, failpoint: str = "") -> None:
        """Start the process; with ``failpoint`` it will die there, see ``infra.failpoints``."""
        self.starts += 1
        env = environment() | ({VARIABLE: failpoint} if failpoint else {})
        with self._errors.open("ab") as errors:
            self._process = subprocess.Popen(self._command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=errors)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End the process as a crash would; nothing where there is none."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """Let the process end in order.

        Raises
        ------
        HeadraceError
            When it does not leave with everything durable.
        """
        assert self._process is not None
        self._process.terminate()
        if self._process.wait(_STOP_S) != 0:
            raise HeadraceError(f"worker {self.name} ended with {self._process.returncode}: {self.last_words()}")

    def wait_until_ended(self, timeout: float = TIMEOUT_S) -> int:
        """Return the status with which it ends by itself.

        Raises
        ------
        HeadraceError
            When it does not.
        """
        assert self._process is not None
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise HeadraceError(f"worker {self.name} has not ended within {timeout:.0f} s") from error

    def status(self) -> dict[str, Any]:
        """Return what the present process says of itself; nothing until it does, or while the store is away."""
        try:
            store: Any = connect(self._url)
            value = store.hget(self._workers, self.name)
        except (StoreError, OSError):
            return {}
        store.close()
        status: dict[str, Any] = orjson.loads(value) if value else {}
        return status if self._process is not None and status.get("pid") == self.pid else {}

    def numbers(self) -> frozenset[int]:
        """Return the numbers of the partitions that it owns, as far as it knows."""
        return frozenset(self.status().get("numbers", ()))

    def wait_until(
        self, reached: Callable[[dict[str, Any]], bool], what: str, timeout: float = TIMEOUT_S
    ) -> dict[str, Any]:
        """Return its first status for which a condition holds.

        Raises
        ------
        HeadraceError
            When the process ends, or that takes longer than ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        while not reached(status := self.status()):
            if not self.runs:
                self.has_ended(what)
            if time.monotonic() > deadline:
                raise HeadraceError(
                    f"worker {self.name} has not {what} within {timeout:.0f} s; it says {status} and "
                    f"{self.last_words()}"
                )
            time.sleep(_POLL_S)
        return status

    def has_ended(self, before: str) -> None:
        """Say that the process has ended before it has done something.

        Raises
        ------
        HeadraceError
            Always.
        """
        raise HeadraceError(f"worker {self.name} has ended before it has {before}: {self.last_words()}")

    def wait_until_ready(self) -> None:
        """Wait until it reads partitions; from here on :meth:`wait_until_done` counts CPU time."""
        self.wait_until(lambda status: bool(status.get("ready") and status["partitions"]), "become ready")
        self._cpu_before = cpu_s(self.pid)

    def wait_until_done(self, events: int) -> dict[str, Any]:
        """Return what it says once all events are applied and their lists written, with the CPU time it took in s."""

        def all_applied(status: dict[str, Any]) -> bool:
            counts = ("events_applied", "duplicates", "dead_letters")
            return sum(int(status.get(count, 0)) for count in counts) >= events

        seen = self.wait_until(all_applied, f"applied {events:,} events", 60 + events / 500)["time"]
        status = self.wait_until(lambda status: status.get("time", 0) >= seen + _SETTLED_MS, "reported again")
        return status | {"cpu_s": round(cpu_s(self.pid) - self._cpu_before, 2)}

    def resident_mb(self) -> float:
        """Return the memory of its process, in MB."""
        pages = int(Path(f"/proc/{self.pid}/statm").read_text().split()[1])
        return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)

    def last_words(self) -> str:
        """Return the end of what it wrote to standard error, of all its starts."""
        return self._errors.read_bytes()[-2000:].decode("utf-8", "replace").strip()


@contextmanager
def running_worker(settings: Settings) -> Iterator[Worker]:
    """Start a worker, wait until it is ready, and end it in order after the block."""
    worker = Worker(settings)
    worker.start()
    try:
        worker.wait_until_ready()
        yield worker
        worker.stop()
    finally:
        worker.kill()


def with_settings(settings: Settings, **sections: Mapping[str, Any]) -> Settings:
    """Return settings with other values in these sections, e.g. ``worker={"freshened_per_s": 0}``."""
    changed = {name: msgspec.structs.replace(getattr(settings, name), **values) for name, values in sections.items()}
    return msgspec.structs.replace(settings, **changed)


def _toml(settings: Mapping[str, Any]) -> str:
    lines = [f"{name} = {_value(value)}" for name, value in settings.items() if not isinstance(value, dict)]
    for name, section in settings.items():
        if isinstance(section, dict):
            lines += [f"[{name}]", *(f"{key} = {_value(value)}" for key, value in section.items() if value is not None)]
    return "\n".join(lines) + "\n"


def _value(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(key)} = {_value(each)}" for key, each in value.items()) + "}"
    return json.dumps(value)
