"""Processes of ``headrace run``; its worker compiles while the broker starts, and then waits for a word."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from types import TracebackType
from typing import Any, Self

from infra import launch
from infra.errors import HeadraceError
from infra.settings import Settings

_STOP_S = 60.0  # for what is in flight, a barrier and a checkpoint, on a busy machine too
# As the worker has it for matrix products; it must stand before NumPy is imported.
_ONE_THREAD = {f"{library}_NUM_THREADS": "1" for library in ("OPENBLAS", "OMP", "MKL")}


class Child:
    """A process of ours that ends when we do, even by a crash, and whose last words are kept.

    Parameters
    ----------
    called : str
        What it is called when it ends by itself.
    command : list of str
    """

    def __init__(self, called: str, command: list[str]) -> None:
        self._called, self._command = called, command

    def __enter__(self) -> Self:
        self._log = tempfile.TemporaryFile()
        self._started = time.time()
        self._child = subprocess.Popen(
            _tied_to_us(self._command),
            stdin=subprocess.PIPE,
            stdout=self._log,
            stderr=self._log,
            start_new_session=True,  # Ctrl-C is for us; we end the child in order
            env=os.environ | _ONE_THREAD,
        )
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

    def check(self) -> None:
        """Raise when the process has ended by itself.

        Raises
        ------
        HeadraceError
            With its last words.
        """
        status = self._child.poll()
        if status is not None:
            raise HeadraceError(f"{self._called} has ended with status {status}; its last words: {self._last_words()}")

    def stop(self) -> None:
        """Let the process end in order; wait for that."""
        if self._child.poll() is None:
            self._child.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(_STOP_S)

    def _last_words(self) -> str:
        self._log.seek(0)
        lines = [line.strip() for line in self._log.read().decode("utf-8", "replace").splitlines() if line.strip()]
        own = [line for line in lines if line.startswith("headrace")]
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
        super().__init__("the worker", [sys.executable, "-P", "-m", "commands.running.child", "worker", *options])

    def __enter__(self) -> Self:
        super().__enter__()
        self.name = self.name or f"{socket.gethostname()}-{self._child.pid}"
        return self

    def has_said(self, report: dict[str, Any]) -> bool:
        """Whether a report under its name is its own, not that of a worker which had that name before."""
        return bool(report["started"] >= self._started)

    def go(self) -> None:
        """Let the worker begin: broker and store are up."""
        assert self._child.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it has ended: check() says why
            self._child.stdin.write(b"go\n")
            self._child.stdin.close()


def _tied_to_us(command: list[str]) -> list[str]:
    """Return a command that ends when we do, even by a crash."""
    if sys.platform != "linux":
        return command
    return [sys.executable, "-I", "-S", str(launch.__file__), str(os.getpid()), *command]


def _be_worker() -> None:
    """Import and compile everything, wait for the word, then be ``headrace worker``."""
    import streams.running.worker  # noqa: F401 (seconds of imports)
    from commands.main import main
    from infra.kernels import compile_kernels
    from models.kernel import COMPILED
    from models.warmup import warm_up

    compile_kernels(COMPILED)
    warm_up()
    if sys.stdin.readline():
        main()


if __name__ == "__main__":
    _be_worker()
