"""Starts commands for tests: as a user does, or forked from a process that has imported everything already.

Imports and kernels cost a worker two seconds of a core, and the tests start some hundred workers. So one process does
it once (:mod:`tests.preloaded`, by the fork server of ``multiprocessing``), and workers are forked from it. Each is a
real one: a process of its own that runs the command line, with its own arguments, environment, log and exit status.

What forked workers have in common is the seed of ``hash()``, so tests of equal bytes compare them with others.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Protocol

_FORKING = multiprocessing.get_context("forkserver")
_FORKING.set_forkserver_preload(["tests.preloaded"])


class Process(Protocol):
    """A process as ``subprocess`` has it."""

    pid: int

    @property
    def returncode(self) -> int | None: ...

    def poll(self) -> int | None: ...

    def wait(self, timeout: float | None = None) -> int: ...

    def send_signal(self, number: int) -> None: ...

    def terminate(self) -> None: ...

    def kill(self) -> None: ...


def started(arguments: Sequence[str], environment: Mapping[str, str], errors: Path) -> Process:
    """Start ``headrace`` as a user does; its standard error goes to a file."""
    # A file: a pipe that nobody reads would stop a worker that has much to say.
    with errors.open("wb") as file:
        return subprocess.Popen(
            [sys.executable, "-m", "commands", *arguments],
            stdout=subprocess.DEVNULL,
            stderr=file,
            env=os.environ | environment,
        )


def forked(arguments: Sequence[str], environment: Mapping[str, str], errors: Path) -> Process:
    """Do the same in a process that has imported everything already."""
    return _Forked(arguments, dict(os.environ | environment), errors)


class _Forked:
    """A forked process, with the methods of ``subprocess``."""

    def __init__(self, arguments: Sequence[str], environment: Mapping[str, str], errors: Path) -> None:
        errors.write_bytes(b"")
        self._process = _FORKING.Process(target=_run, args=(arguments, environment, errors), daemon=True)
        self._process.start()
        self.pid: int = self._process.pid or 0

    @property
    def returncode(self) -> int | None:
        return self._process.exitcode

    def poll(self) -> int | None:
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        status = self._process.exitcode
        if status is None:
            raise subprocess.TimeoutExpired("headrace", timeout or 0.0)
        return status

    def send_signal(self, number: int) -> None:
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        self.send_signal(signal.SIGTERM)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)


def _run(arguments: Sequence[str], environment: Mapping[str, str], errors: Path) -> None:
    """Become ``python -m commands``."""
    os.environ.clear()
    os.environ.update(environment)
    for path, stream in ((os.devnull, sys.stdout), (errors, sys.stderr)):
        file = os.open(path, os.O_WRONLY | os.O_APPEND)
        os.dup2(file, stream.fileno())
        os.close(file)
    sys.argv = ["headrace", *arguments]
    from commands.main import main  # noqa: PLC0415 (in the parent process it is not needed)

    main()
