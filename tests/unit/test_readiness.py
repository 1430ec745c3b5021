"""A service is ready while at least one worker keeps the lists fresh."""

from __future__ import annotations

from serving.reading.readiness import SILENCE_MS, not_ready
from serving.reading.values import WorkerStatus

NOW = 1_800_000_000_000


def status(worker: str, *, age_ms: int = 0, ready: bool = True) -> WorkerStatus:
    return WorkerStatus(worker, NOW - age_ms, ready)


def test_no_worker_is_not_ready_and_names_the_remedy() -> None:
    assert "headrace worker" in str(not_ready([], NOW))


def test_one_fresh_and_ready_worker_is_enough() -> None:
    statuses = [status("old", age_ms=SILENCE_MS + 1), status("starting", ready=False), status("good")]
    assert not_ready(statuses, NOW) is None


def test_a_worker_whose_clock_is_ahead_is_fresh() -> None:
    assert not_ready([status("ahead", age_ms=-3000)], NOW) is None


def test_silent_workers_are_not_ready_and_the_last_one_is_named() -> None:
    reason = not_ready([status("a", age_ms=90_000), status("b", age_ms=60_000)], NOW)
    assert reason == "worker b last reported 60 s ago; is it still running?"


def test_a_worker_that_still_catches_up_is_not_ready() -> None:
    assert "still starting" in str(not_ready([status("a", ready=False)], NOW))
