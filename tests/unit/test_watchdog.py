"""Only who stands still without a reason is ended."""

from __future__ import annotations

import threading
from itertools import count

import pytest

from streams.running.watchdog import Progress, Watchdog

STALLED_S = 0.2


@pytest.mark.parametrize(
    ("waiting", "moving", "answers", "ends"),
    [(True, False, True, True), (False, False, True, False), (True, True, True, False), (True, False, False, False)],
    ids=["stands still", "has no input", "goes on", "waits for Kafka or Redis"],
)
def test_a_worker_is_ended_only_when_it_stands_still_and_could_go_on(
    waiting: bool, moving: bool, answers: bool, ends: bool
) -> None:
    ended, looked, steps = threading.Event(), threading.Semaphore(0), count()

    def look() -> Progress:
        looked.release()
        return Progress(waiting, next(steps) if moving else 0)

    watchdog = Watchdog(STALLED_S, look, lambda: answers, lambda _: ended.set())
    watchdog.start()
    if ends:
        assert ended.wait(60)
    else:
        for _ in range(20):  # four times as long as it would be let stand still
            assert looked.acquire(timeout=60)
        assert not ended.is_set()
    watchdog.stop()


def test_who_is_watched_no_more_may_stand_still() -> None:
    ended, looked = threading.Event(), threading.Event()

    def look() -> Progress:
        looked.set()
        return Progress(True, 0)

    watchdog = Watchdog(STALLED_S, look, lambda: True, lambda _: ended.set())
    watchdog.stop()
    watchdog.start()
    assert looked.wait(60)
    assert not ended.wait(4 * STALLED_S)
