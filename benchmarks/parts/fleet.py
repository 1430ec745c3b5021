"""Worker processes of one namespace, each with a static identity, so that whoever comes back goes on at once."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import orjson

from contracts.redis import Keys
from infra.errors import HeadraceError
from infra.redis import connect
from infra.settings import Settings

TIMEOUT_S = 120.0
_POLL_S = 0.05


class Member:
    """One worker, running or not.

    Parameters
    ----------
    settings : Settings
        Whose namespace it works for, with the addresses of Kafka and Redis.
    name : str
        Its identity.
    more : str
        Continues the section ``[worker]`` of its settings, in TOML.
    checkpoint_s : int
        Seconds from checkpoint to checkpoint.
    """

    def __init__(self, settings: Settings, name: str, more: str = "", checkpoint_s: int = 5) -> None:
        self.name = name
        self._store = connect(settings.redis.url)
        self._workers = Keys(settings.namespace, settings.redis.prefix).workers
        config = _configured(settings, name, more, checkpoint_s)
        self._command = [sys.executable, "-m", "commands", "worker", "--config", str(config)]
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def runs(self) -> bool:
        """Whether there is a process, be it asleep."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start the process."""
        self._process = subprocess.Popen(self._command)

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the process."""
        assert self._process is not None
        self._process.send_signal(number)

    def kill(self) -> None:
        """End the process as a crash would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()

    def stop(self) -> None:
        """Let the process end in order.

        Raises
        ------
        HeadraceError
            When it ends with an error.
        """
        assert self._process is not None
        self._process.terminate()
        if self._process.wait(TIMEOUT_S) != 0:
            raise HeadraceError(f"worker {self.name} ended with status {self._process.returncode}")

    def status(self) -> dict[str, Any]:
        """Return what the present process says of itself, or has said last; empty until it does."""
        value: Any = self._store.hget(self._workers, self.name)
        status: dict[str, Any] = orjson.loads(value) if value else {}
        return status if self._process is not None and status.get("pid") == self._process.pid else {}

    def numbers(self) -> frozenset[int]:
        """Return the numbers of the partitions that it owns, as far as it knows."""
        return frozenset(self.status().get("numbers", ()))

    def wait_until(self, reached: Callable[[], bool], what: str) -> None:
        """Wait until a condition holds.

        Raises
        ------
        HeadraceError
            When the process ends, or it takes too long.
        """
        deadline = time.monotonic() + TIMEOUT_S
        while not reached():
            if not self.runs:
                raise HeadraceError(f"worker {self.name} has ended before it has {what}")
            if time.monotonic() > deadline:
                raise HeadraceError(f"worker {self.name} has not {what} in {TIMEOUT_S:.0f} s: {self.status()}")
            time.sleep(_POLL_S)


def _configured(settings: Settings, name: str, more: str, checkpoint_s: int) -> Path:
    path = settings.home_dir / f"{settings.namespace}-{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'namespace = "{settings.namespace}"\nhome = "{settings.home}"\n'
        f'[kafka]\nbootstrap = "{settings.kafka.bootstrap}"\nprefix = "{settings.kafka.prefix}"\n'
        f"partitions = {settings.kafka.partitions}\n"
        f'[redis]\nurl = "{settings.redis.url}"\nprefix = "{settings.redis.prefix}"\n'
        # By default often, so that some disturbances fall between two checkpoints and some into one.
        f'[model]\ncheckpoint_s = {checkpoint_s}\n[worker]\ninstance = "{name}"\n{more}'
    )
    return path


def member(settings: Settings, namespace: str, name: str, more: str = "") -> Member:
    """Return a worker of another namespace than the settings'."""
    return Member(msgspec.structs.replace(settings, namespace=namespace), name, more)
