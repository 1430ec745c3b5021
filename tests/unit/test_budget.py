"""A budget of time, on clocks of its own."""

from __future__ import annotations

import pytest

from streams.watching import budget
from streams.watching.budget import Budget


class Clocks:
    """The time of day and the time that a thread has worked, both in s."""

    def __init__(self) -> None:
        self.day = self.worked = 0.0

    def monotonic(self) -> float:
        return self.day

    def thread_time(self) -> float:
        return self.worked


@pytest.fixture
def clocks(monkeypatch: pytest.MonkeyPatch) -> Clocks:
    clocks = Clocks()
    monkeypatch.setattr(budget, "time", clocks)
    return clocks


def work(one: Budget, clocks: Clocks, seconds: float) -> None:
    with one.spent():
        clocks.day += seconds
        clocks.worked += seconds


def test_it_takes_its_share_of_a_long_time_and_no_more(clocks: Clocks) -> None:
    one, worked = Budget(0.1), 0.0
    while clocks.day < 1000.0:
        if one.allows():
            work(one, clocks, 0.25)
            worked += 0.25
        else:
            clocks.day += 0.05
    assert 100.0 <= worked <= 102.0


def test_what_is_saved_up_is_bounded(clocks: Clocks) -> None:
    one = Budget(0.5)
    clocks.day = 3600.0
    rounds = 0
    while one.allows():
        work(one, clocks, 0.06)
        rounds += 1
    assert rounds == 9  # 0.54 s: a quarter of a second, and half of the time that they took


def test_all_and_nothing(clocks: Clocks) -> None:
    always, never = Budget(1.0), Budget(0.0)
    for _ in range(5):
        assert always.allows()
        work(always, clocks, 60.0)
        assert not never.allows()
