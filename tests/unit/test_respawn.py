"""A process that stays behind: the work goes on after a crash, ends when it is asked to, and never outlives it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from infra.crashes import Crashes

ROOT = Path(__file__).parents[2]
_TIMEOUT_S = 20.0
_PROGRAM = """
import os, signal, sys, time
from infra import crashes
from infra.respawn import stay_behind

crashes._PAUSES_S = {pauses}
stay_behind(lambda words: print("said:", words, flush=True))
interrupts = []
signal.signal(signal.SIGINT, lambda *_: interrupts.append(1))
print("works", os.getpid(), flush=True)
{work}
"""


@contextmanager
def staying_behind(work: str, pauses: tuple[float, ...] = (0.0, 0.0)) -> Iterator[subprocess.Popen[str]]:
    program = _PROGRAM.format(pauses=pauses, work=work)
    with subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def line(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def child(process: subprocess.Popen[str]) -> int:
    said = line(process)
    assert said.startswith("works "), said
    return int(said.split()[1])


def until(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + _TIMEOUT_S
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


def test_it_ends_when_the_work_does() -> None:
    with staying_behind("sys.exit(0)") as process:
        assert child(process) != process.pid
        assert process.wait(_TIMEOUT_S) == 0


def test_a_killed_child_is_followed_by_another() -> None:
    with staying_behind("time.sleep(60)") as process:
        first = child(process)
        os.kill(first, signal.SIGKILL)
        assert line(process) == "said: ended with signal SIGKILL; started again"
        assert child(process) not in (first, process.pid)
        assert process.poll() is None


@pytest.mark.parametrize(
    ("work", "words", "status"),
    [
        ("sys.exit(7)", "status 7", 7),
        ("os._exit(1)", "status 1", 1),
        ("os.kill(os.getpid(), signal.SIGKILL)", "signal SIGKILL", 128 + 9),
    ],
)
def test_who_crashes_again_and_again_is_given_up(work: str, words: str, status: int) -> None:
    with staying_behind(work) as process:
        children = set()
        for _ in range(2):
            children.add(child(process))
            assert line(process) == f"said: ended with {words}; started again"
        children.add(child(process))
        assert line(process) == f"said: ended with {words}, 3 times soon after its start: given up"
        assert process.wait(_TIMEOUT_S) == status
        assert len(children) == 3


@pytest.mark.parametrize("status", [0, 3])
def test_a_wish_to_end_is_handed_on_and_nothing_starts_again(status: int) -> None:
    # Short sleeps: a signal just before a sleep is heard only after it.
    work = f"signal.signal(signal.SIGTERM, lambda *_: sys.exit({status})); print()\nwhile True: time.sleep(0.01)"
    with staying_behind(work) as process:
        child(process)
        line(process)
        process.terminate()
        assert process.wait(_TIMEOUT_S) == status
        assert line(process) == ""


def test_an_interrupt_of_the_terminal_comes_once() -> None:
    work = "print()\nwhile not interrupts: time.sleep(0.01)\ntime.sleep(0.3); sys.exit(len(interrupts))"
    with staying_behind(work) as process:
        child(process)
        line(process)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(_TIMEOUT_S) == 1


def test_a_wish_during_a_pause_is_heard() -> None:
    with staying_behind("sys.exit(1)", (0.5,)) as process:
        child(process)
        assert line(process) == "said: ended with status 1; started again in 0.5 s"
        process.terminate()
        assert process.wait(_TIMEOUT_S) == 0
        assert line(process) == ""


def test_a_child_that_only_stands_still_is_left_alone() -> None:
    with staying_behind("print()\nwhile not interrupts: time.sleep(0.01)") as process:
        pid = child(process)
        line(process)
        os.kill(pid, signal.SIGSTOP)
        time.sleep(0.1)
        os.kill(pid, signal.SIGCONT)
        time.sleep(0.1)
        os.kill(pid, signal.SIGINT)
        assert process.wait(_TIMEOUT_S) == 0


def test_a_child_does_not_outlive_it() -> None:
    with staying_behind("time.sleep(60)") as process:
        pid = child(process)
        process.kill()
        process.wait()
        until(lambda: is_gone(pid))


def test_a_long_life_forgives_what_was_before() -> None:
    crashes = Crashes()
    pauses = [crashes.another(1.0) for _ in range(3)]
    assert pauses == sorted(pauses)
    assert crashes.another(3600.0) == pauses[0] == 0.0
    assert [crashes.another(1.0) for _ in range(5)][-1] is None
