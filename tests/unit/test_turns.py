"""A thread that must not wait for its turn loses its slack, and no other does."""

from __future__ import annotations

import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.turns import wake_at_once


def slack_ns() -> int:
    """Return the calling thread's slack."""
    return int(Path(f"/proc/{threading.get_native_id()}/timerslack_ns").read_text())


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux has such a setting")
def test_only_the_thread_that_asks_wakes_at_once() -> None:
    usual = slack_ns()
    with ThreadPoolExecutor(1, initializer=wake_at_once) as hurried, ThreadPoolExecutor(1) as other:
        assert hurried.submit(slack_ns).result() == 1
        assert other.submit(slack_ns).result() == slack_ns() == usual > 1
