"""Ctrl-C and SIGTERM as one thing, for commands that have something to end in order."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

_SAME_WISH_S = 1.0  # a terminal and a wrapping program may both pass on one Ctrl-C


@contextmanager
def interrupts() -> Iterator[None]:
    """Raise ``KeyboardInterrupt`` in the main thread on SIGINT and SIGTERM; its argument is the signal's number."""
    last = 0.0

    def handle(number: int, _frame: FrameType | None) -> None:
        nonlocal last
        before, last = last, time.monotonic()
        if last > before + _SAME_WISH_S:
            raise KeyboardInterrupt(number)

    previous = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


def status_of(interrupt: KeyboardInterrupt) -> int:
    """Return the exit status that says which signal ended a command: 130 for Ctrl-C."""
    return 128 + int(interrupt.args[0] if interrupt.args else signal.SIGINT)
