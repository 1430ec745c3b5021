"""Ctrl-C and SIGTERM as a question that is asked where a long work may end in order."""

from __future__ import annotations

import signal
import time
from types import FrameType

_SAME_WISH_S = 1.0  # a terminal and a wrapping program may both pass on one Ctrl-C


class Wish:
    """Whether a signal has come. A second one interrupts at once.

    No :class:`threading.Event`: to set one in a signal handler waits for a lock that the interrupted code may hold.

    Attributes
    ----------
    signal : int
        The one that came; 0 before.
    """

    def __init__(self) -> None:
        self.signal = 0
        self._heard = 0.0

    def __call__(self) -> bool:
        """Return whether to stop."""
        return self.signal > 0

    def __enter__(self) -> Wish:
        self._before = {number: signal.signal(number, self._hear) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    @property
    def status(self) -> int:
        """The exit status that says which signal ended a command."""
        return 128 + self.signal

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        now, before = time.monotonic(), self._heard
        if self.signal and now < before + _SAME_WISH_S:
            return
        again, self.signal, self._heard = self.signal > 0, number, now
        if again:
            raise KeyboardInterrupt
