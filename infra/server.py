"""What the embedded broker and the embedded store have in common: a server that runs as our child."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, Self

from infra.errors import HeadraceError
from infra.process import Busy, HoldingProcess, find


class LocalServer(ABC):
    """A server on one directory, which keeps its data and its ports between runs.

    Parameters
    ----------
    directory : str or Path
        Made where it does not exist.
    """

    NAME: ClassVar[str]
    ERROR: ClassVar[type[HeadraceError]]
    LOGS: ClassVar[tuple[str, ...]]
    START_S: ClassVar[float] = 90.0  # a busy machine needs three times as long as a quiet one

    def __init__(self, directory: str | Path) -> None:
        self.directory = Path(directory).absolute()
        self._process = HoldingProcess(self.directory)
        self._address = ""

    @property
    def pid(self) -> int | None:
        """Process id of the server, ``None`` when it does not run."""
        return self._process.pid

    @classmethod
    def attach(cls, directory: str | Path, timeout: float = 0.0) -> str | None:
        """Return the address of the server that runs on a directory, in this process or another.

        Parameters
        ----------
        directory : str or Path
        timeout : float
            Seconds to wait for a server that is just starting.

        Returns
        -------
        str or None
            ``None`` when none runs.
        """
        return find(Path(directory).absolute(), timeout)

    def start(self, timeout: float = START_S) -> Self:
        """Start the server and wait until it answers.

        Parameters
        ----------
        timeout : float
            Seconds for the server to answer; a download, once per machine, is not counted.

        Raises
        ------
        BrokerError, StoreError
            When a server runs on this directory already, when something that it needs is missing, or when it does not
            come up in time.
        """
        self.begin()
        self.finish(timeout)
        return self

    def begin(self) -> None:
        """Do the first half of :meth:`start`, so that two servers can come up side by side."""
        try:
            self._process.claim()
        except Busy as error:
            raise self.ERROR(
                f"a {self.NAME} already runs, or is just starting, on {self.directory} (process {error.pid}): "
                "use that one, or end it first"
            ) from error
        with self._ended_on_error():
            self._address = self._launch()

    def finish(self, timeout: float = START_S) -> None:
        """Do the second half of :meth:`start`."""
        with self._ended_on_error():
            self._wait_until_ready(timeout)
            self._process.announce(self._address)

    def stop(self, timeout: float = 20.0) -> None:
        """End the server in order; by force where it takes longer than ``timeout`` seconds."""
        self._process.stop(timeout)

    def kill(self) -> None:
        """End the server as a crash would."""
        self._process.kill()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()

    @abstractmethod
    def _launch(self) -> str:
        """Spawn the process and return the address that it will have."""

    @abstractmethod
    def _answers(self) -> bool:
        """Whether the server is ready for clients."""

    def _wait_until_ready(self, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        while not self._answers():
            if self.pid is None:
                raise self._failure(f"ended with status {self._process.exit_status}")
            if time.monotonic() > deadline:
                raise self._failure(f"was not ready after {timeout:.0f} s")
            time.sleep(0.02)

    @contextmanager
    def _ended_on_error(self) -> Iterator[None]:
        try:
            yield
        except BaseException:  # Ctrl-C too: what is half started must not stay
            self.stop()
            raise

    def _failure(self, what: str) -> HeadraceError:
        logs = [self.directory / log for log in self.LOGS]
        return self.ERROR(
            f"the embedded {self.NAME} {what}; its last words: {_last_words(logs)}; see {' and '.join(map(str, logs))}"
        )


def _last_words(logs: list[Path]) -> str:
    """Return the last line of the log that was written last, passing over stack traces."""
    for log in sorted((log for log in logs if log.exists()), key=lambda log: log.stat().st_mtime, reverse=True):
        lines = [line for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
        spoken = [line for line in lines if not line.startswith(("\t", " ", "Caused by"))]
        if spoken:
            return spoken[-1].strip()
    return "none"
