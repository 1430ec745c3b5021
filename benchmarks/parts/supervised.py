"""A worker process that is started again whenever it ends, as a supervisor would."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson

from benchmarks.parts.place import ROOT, environment
from contracts.redis import Keys
from infra.errors import HeadraceError, StoreError
from infra.failpoints import VARIABLE
from infra.redis import connect
from infra.settings import Settings

_START_S = 300.0  # the first start compiles
_STOP_S = 120.0
_POLL_S = 0.05
_INSTANCE = "supervised"


class SupervisedWorker:
    """A ``headrace worker`` of one namespace.

    Parameters
    ----------
    settings : Settings
        With the addresses of Kafka and Redis.
    namespace : str
    directory : Path
        For its settings file.
    more : str
        Further settings, TOML.
    """

    def __init__(self, settings: Settings, namespace: str, directory: Path, more: str = "") -> None:
        self.namespace, self.starts = namespace, 0
        self._url, self._workers = settings.redis.url, Keys(namespace, settings.redis.prefix).workers
        config = directory / f"{namespace}.toml"
        config.write_text(
            f'home = "{settings.home}"\n'
            f'[kafka]\nbootstrap = "{settings.kafka.bootstrap}"\nprefix = "{settings.kafka.prefix}"\n'
            f"partitions = {settings.kafka.partitions}\n"
            f'[redis]\nurl = "{settings.redis.url}"\nprefix = "{settings.redis.prefix}"\n'
            # Often, so that some crashes fall between two checkpoints and some into one.
            "[model]\ncheckpoint_s = 5\n"
            # A static identity, so that the restarted worker need not wait until the dead one has expired.
            f'[worker]\ninstance = "{_INSTANCE}"\n{more}'
        )
        self._command = [sys.executable, "-m", "commands", "worker"]
        self._command += ["--config", str(config), "--namespace", namespace]
        self._errors = directory / f"{namespace}.log"
        self.start()

    def start(self, failpoint: str = "") -> None:
        """Start the process; with ``failpoint`` it will die there, see ``infra.failpoints``."""
        self.starts += 1
        env = environment() | ({VARIABLE: failpoint} if failpoint else {})
        with self._errors.open("ab") as errors:
            self._process = subprocess.Popen(self._command, cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=errors)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self._process.kill()
        self._process.wait()

    def stop(self) -> None:
        """End it in order, once it is ready.

        Raises
        ------
        HeadraceError
            When it does not leave with everything durable.
        """
        self.wait_until(lambda status: bool(status.get("ready")), "become ready")
        self._process.terminate()
        if self._process.wait(_STOP_S) != 0:
            raise HeadraceError(f"worker {self.namespace} ended with {self._process.returncode}: {self.last_words()}")

    def wait_until_ended(self, timeout: float = _START_S) -> int:
        """Return the status with which it ends by itself.

        Raises
        ------
        HeadraceError
            When it does not.
        """
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise HeadraceError(f"worker {self.namespace} has not ended within {timeout:.0f} s") from error

    def status(self) -> dict[str, Any]:
        """Return what the present process says of itself; nothing until it does, or while the store is away."""
        try:
            store = connect(self._url)
            value = store.hget(self._workers, _INSTANCE)
        except (StoreError, OSError):
            return {}
        store.close()
        status: dict[str, Any] = orjson.loads(value) if value else {}  # type: ignore[arg-type]
        return status if status.get("pid") == self._process.pid else {}

    def wait_until(self, reached: Callable[[dict[str, Any]], bool], what: str, timeout: float = _START_S) -> None:
        """Wait until a condition on its status holds; start it again when it ends meanwhile.

        Raises
        ------
        HeadraceError
            When that takes longer than ``timeout`` seconds.
        """
        deadline = time.monotonic() + timeout
        while not reached(self.status()):
            if self._process.poll() is not None:
                print(f"{self.namespace}: ended with {self._process.returncode}: {self.last_words()}", file=sys.stderr)
                self.start()
            if time.monotonic() > deadline:
                raise HeadraceError(
                    f"worker {self.namespace} has not {what} within {timeout:.0f} s; it says {self.status()} and "
                    f"{self.last_words()}"
                )
            time.sleep(_POLL_S)

    def last_words(self) -> str:
        """Return the end of what it wrote to standard error, of all its starts."""
        return self._errors.read_bytes()[-2000:].decode("utf-8", "replace").strip()
