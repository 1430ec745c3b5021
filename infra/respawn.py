"""A process that stays behind, ready, while a child of it works, and forks the next one when that crashes.

The next one has every import and every kernel from the start: two seconds of a core that nobody waits for.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable

from infra.crashes import Crashes
from infra.launch import PR_SET_PDEATHSIG

_WISHES = {signal.SIGTERM, signal.SIGINT}


def stay_behind(say: Callable[[str], None]) -> None:
    """Return in a forked child, which is to do the work; the process that called ends when the work does.

    SIGTERM and SIGINT are handed on to the child, and then its status is that of the process; so is that of a child
    which crashes again and again (:mod:`infra.crashes`). A child ends with its parent, whatever that dies of, where the
    system is Linux. Nothing may have started a thread before: a fork leaves it behind.

    Parameters
    ----------
    say : callable
        Takes a sentence about each crash.
    """
    parent, crashes = os.getpid(), Crashes()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {*_WISHES, signal.SIGCHLD})
    while True:
        began = time.monotonic()
        child = os.fork()
        if not child:
            _belong_to(parent)
            signal.pthread_sigmask(signal.SIG_SETMASK, before)
            return
        status, wished = _accompany(child)
        if wished or status == 0:
            sys.exit(_exit_status(status))
        ended = f"signal {signal.Signals(-status).name}" if status < 0 else f"status {status}"
        pause = crashes.another(time.monotonic() - began)
        if pause is None:
            say(f"ended with {ended}, {crashes.in_turn} times soon after its start: given up")
            sys.exit(_exit_status(status))
        say(f"ended with {ended}; started again" + (f" in {pause:g} s" if pause else ""))
        time.sleep(pause)
        if signal.sigpending() & _WISHES:
            sys.exit(0)


def _accompany(child: int) -> tuple[int, bool]:
    """Wait until a child has ended; return its status, negative for a signal, and whether it was asked to."""
    wished = False
    while True:
        number = signal.sigwait({*_WISHES, signal.SIGCHLD})
        if number in _WISHES:
            wished = True
            os.kill(child, number)  # still ours: nobody else has waited for it
        ended, status = os.waitpid(child, os.WNOHANG)  # a child that is stopped says so, too
        if ended:
            return os.waitstatus_to_exitcode(status), wished


def _belong_to(parent: int) -> None:
    """End when the parent does, and hear of Ctrl-C from it alone."""
    os.setpgid(0, 0)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it died before the line above took effect
            os._exit(1)


def _exit_status(status: int) -> int:
    return 128 - status if status < 0 else status
