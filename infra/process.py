"""A child process that holds a directory for as long as it lives: never two at once, found again, never left behind.

The child inherits a locked file, so the lock ends exactly when the child does, whatever becomes of us: no process id
has to be trusted to tell whether a directory is in use.
"""

from __future__ import annotations

import atexit
import contextlib
import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from infra import launch

_POLL_S = 0.05


class Busy(Exception):
    """Another process holds the directory; ``pid`` is its process id, 0 where that is not known."""

    def __init__(self, pid: int) -> None:
        super().__init__(pid)
        self.pid = pid


class HoldingProcess:
    """A child process and the directory that it holds.

    Parameters
    ----------
    directory : Path
        Its working directory; holds, beside its data, ``lock``, ``address`` and ``output.log``.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock: int | None = None
        self._child: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int | None:
        """Process id of the child, ``None`` when it does not run."""
        return self._child.pid if self._child and self._child.poll() is None else None

    @property
    def exit_status(self) -> int | None:
        """Exit status of a child that has ended, negative for a signal."""
        return self._child.poll() if self._child else None

    def claim(self) -> None:
        """Take the directory before anything in it is touched.

        Raises
        ------
        Busy
            When another process holds it.
        """
        self._directory.mkdir(parents=True, exist_ok=True)
        self._lock = _take_lock(self._directory, patience=0.5)
        if self._lock is None:
            raise Busy(_recorded_pid(self._directory))
        (self._directory / "address").unlink(missing_ok=True)

    def spawn(self, command: Sequence[str]) -> None:
        """Start the child, which takes over our hold on the directory."""
        assert self._lock is not None, "claim the directory first"
        with (self._directory / "output.log").open("wb") as output:
            self._child = subprocess.Popen(
                _tied_to_us(command),
                cwd=self._directory,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,  # Ctrl-C is for us; we end the child in order
                pass_fds=(self._lock,),
            )
        os.ftruncate(self._lock, 0)
        os.pwrite(self._lock, str(self._child.pid).encode(), 0)
        self._release()
        atexit.register(self.stop)

    def announce(self, address: str) -> None:
        """Let others find the child, now that it is ready."""
        partial = self._directory / "address.part"
        partial.write_text(address, "utf-8")
        partial.replace(self._directory / "address")

    def stop(self, timeout: float = 20.0) -> None:
        """Ask the child to end (SIGTERM), and end it by force where it has not after ``timeout`` seconds."""
        if self._child and self.pid:
            self._child.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._child.wait(timeout)
        self.kill()

    def kill(self) -> None:
        """End the child at once (SIGKILL), as a crash would."""
        if self._child and self.pid:
            self._child.kill()
            self._child.wait()
        self._release()
        atexit.unregister(self.stop)

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None


def find(directory: Path, timeout: float = 0.0) -> str | None:
    """Return the address that the holder of a directory has announced.

    Parameters
    ----------
    directory : Path
        As given to :class:`HoldingProcess`, in this process or another.
    timeout : float
        Seconds to wait for a holder that is just starting.

    Returns
    -------
    str or None
        ``None`` when nobody holds the directory, or when the holder is not ready in time.
    """
    deadline = time.monotonic() + timeout
    while _is_held(directory):
        with contextlib.suppress(FileNotFoundError):
            return (directory / "address").read_text("utf-8")
        if time.monotonic() >= deadline:
            break
        time.sleep(_POLL_S)
    return None


def _tied_to_us(command: Sequence[str]) -> list[str]:
    # The kernel ties a child to the thread that started it, not to the process: a thread may end long before.
    if sys.platform != "linux" or threading.current_thread() is not threading.main_thread():
        return list(command)
    return [sys.executable, "-I", "-S", str(launch.__file__), str(os.getpid()), *command]


def _take_lock(directory: Path, patience: float) -> int | None:
    lock = os.open(directory / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    deadline = time.monotonic() + patience  # someone who only looks holds it for an instant
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(lock)
                return None
            time.sleep(_POLL_S)
        else:
            return lock


def _is_held(directory: Path) -> bool:
    if not (directory / "lock").exists():
        return False
    lock = _take_lock(directory, patience=0.0)
    if lock is None:
        return True
    os.close(lock)
    return False


def _recorded_pid(directory: Path) -> int:
    text = (directory / "lock").read_text("ascii", "replace")
    return int(text) if text.isdecimal() else 0
