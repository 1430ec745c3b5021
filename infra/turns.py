"""How soon a thread gets its turn of the interpreter.

A thread that wants the interpreter while another holds it waits for a switch interval and then asks for it. Linux adds
its slack to that wait, 50 µs by default, so that it may wake several sleepers at once: where a thread gives the
interpreter away at every kernel and every larger array, it waits for the clock most of the time. On a machine of two
cores a turn came after 135 µs, and without slack after 10.
"""

from __future__ import annotations

import ctypes
import sys

_PR_SET_TIMERSLACK = 29
_LEAST_NS = 1  # 0 would mean the default


def wake_at_once() -> None:
    """Let waits of the calling thread end when they are over; does nothing where the system has no such setting."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_TIMERSLACK, _LEAST_NS, 0, 0, 0)
