"""Processes of ``headrace run``; its worker compiles while the broker starts, then waits for a word, and comes back.

A worker that crashes is started again.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from types import TracebackType
from typing import Any, Self

from infra import launch
from infra.crashes import Crashes
from infra.errors import HeadraceError
from infra.settings import Settings

_STOP_S = 60.0  # for what is in flight, a barrier and a checkpoint, on a busy machine too
_OWN = re.compile(r"headrace(?: \w+)?: .*")
_ESCAPES = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")  # Faust hides the cursor, whatever it writes to
# As the worker has it for matrix products; it must stand before NumPy is imported.
_ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL")}


class Child:
    """A process of ours that ends when we do, even by a crash, and whose last words are kept.

    Parameters
    ----------
    command : list of str
    """

    def __init__(self, command: list[str]) -> None:
        self._command = command

    def __enter__(self) -> Self:
        self._log = tempfile.TemporaryFile()
        self._spawn()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self.stop()
        finally:  # after an error at once: nothing is lost by a kill
            self._child.kill()
            self._child.wait()
            self._log.close()

    def stop(self) -> None:
        """Let the process end in order; wait for that."""
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(_STOP_S)

    def _spawn(self) -> None:
        self._begin = self._log.seek(0, os.SEEK_END)  # of the words of this one
        self._started = time.time()
        self._child = subprocess.Popen(
            _tied_to_us(self._command),
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,  # Ctrl-C is for us; we end the child in order
            env=os.environ | _ONE_THREAD,
        )

    def _last_words(self) -> str:
        self._log.seek(self._begin)
        text = _ESCAPES.sub("", self._log.read().decode("utf-8", "replace"))
        lines = [line.strip() for line in text.splitlines() if line.strip()]
        own = [found[0] for line in lines if (found := _OWN.search(line))]  # behind the time and the level
        return (own or lines or ["none"])[-1]


class WorkerChild(Child):
    """Runs ``headrace worker`` with the given options from :meth:`go` on, and ends it after the block.

    Parameters
    ----------
    settings : Settings
        Those that the options amount to.
    options : list of str
        Of ``headrace worker``.

    Attributes
    ----------
    name : str
        What the worker calls itself in Redis.
    """

    def __init__(self, settings: Settings, options: list[str]) -> None:
        self.name = ""
        if settings.worker.group_protocol == "classic":
            # Static, so that the next run need not wait for one that was killed to be given up.
            self.name = settings.worker.instance or f"{socket.gethostname()}-run"
            options = [*options, "--instance", self.name]
        self._static = bool(self.name)
        super().__init__([sys.executable, "-P", "-m", "commands.running.child", "worker", *options])
        self._kept = False
        self._crashes = Crashes()
        self._due: float | None = None  # when the next one starts, while none runs

    def _spawn(self) -> None:
        super()._spawn()
        if not self._static:
            self.name = f"{socket.gethostname()}-{self._child.pid}"

    def has_said(self, report: dict[str, Any]) -> bool:
        """Whether a report under its name is its own, not that of a worker which had that name before."""
        return bool(report["started"] >= self._started)

    def go(self) -> None:
        """Let the worker begin: broker and store are up."""
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended: check() says why
            self._child.stdin.write(b"go\n")
            self._child.stdin.close()

    def keep(self) -> None:
        """From now on, start it again when it crashes; before, :meth:`check` raises at once."""
        self._kept = True

    def check(self) -> str | None:
        """Return in words that the worker has crashed, once each time; it is started again after a growing pause.

        Raises
        ------
        HeadraceError
            With its last words, when it has ended without a crash, crashes again and again, or was not to be kept.
        """
        status = self._child.poll()
        if status is None:
            return None
        if self._due is not None:
            if time.monotonic() >= self._due:
                self._due = None
                self._spawn()
                self.go()
            return None
        said = f"status {status}; its last words: {self._last_words()}"
        if not self._kept or status == 0:
            raise HeadraceError(f"the worker has ended with {said}")
        pause = self._crashes.another(time.time() - self._started)
        if pause is None:
            times = self._crashes.in_turn
            raise HeadraceError(f"the worker has crashed {times} times, soon after each start, now with {said}")
        self._due = time.monotonic() + pause
        return f"The worker has crashed with {said}. It is started again" + (f" in {pause:g} s." if pause else ".")


def _tied_to_us(command: list[str]) -> list[str]:
    """Return a command that ends when we do, even by a crash."""
    if sys.platform != "linux":
        return command
    return [sys.executable, "-I", "-S", str(launch.__file__), str(os.getpid()), *command]


def _be_worker() -> None:
    """Import and compile everything, wait for the word, then be ``headrace worker``."""
    from commands.main import main
    from streams.running import prepared

    prepared.load()
    if sys.stdin.readline():
        main()


if __name__ == "__main__":
    _be_worker()
