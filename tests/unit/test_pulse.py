"""The pulse says what all workers together did between two of their reports, however they come and go."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson

from models.engine import Ranks
from streams.watching.pulse import Pulse
from streams.watching.status import Status

NOW = 1_800_000_000_000


def report(status: Status, time: int, **more: Any) -> dict[str, Any]:
    scorers = {"followed": {"alarms": 2}, "blend": {"alarms": 1}}
    return {**status.report(), "lag": 3, "coverage": 0.25, "scorers": scorers, "time": time, **more}


def work(status: Status, events: int, age_ms: float) -> None:
    places = np.where(np.arange(events) % 2 == 0, 1.0, 50.0)
    status.observed("clicks", events, 0, 0, Ranks(np.arange(events), places, places + 20), np.zeros(events, np.bool_))
    status.delivered(np.full(events, age_ms), np.zeros(events, np.int64), [])
    status.lists_written += 2 * events


def beat(pulse: Pulse, now: int, **reports: dict[str, Any]) -> dict[str, Any]:
    made = pulse.beat(reports, now)
    assert made is not None
    found: dict[str, Any] = orjson.loads(made)
    return found


def test_a_beat_is_by_how_much_the_counts_of_all_workers_grew() -> None:
    one, two, pulse = Status(), Status(), Pulse()
    work(one, 100, 5000.0)
    assert pulse.due
    assert pulse.beat({"a": report(one, NOW), "b": report(two, NOW)}, NOW) is None, "the first has nothing before it"
    assert not pulse.due
    work(one, 30, 20.0)
    work(two, 10, 20.0)
    found = beat(pulse, NOW + 2000, a=report(one, NOW + 2000), b=report(two, NOW + 2000))
    assert (found["time"], found["seconds"], found["workers"]) == (NOW + 2000, 2.0, 2)
    assert (found["events"], found["lists"], found["scored"]) == (40, 80, 40)
    assert found["hits"] == {"blend": 20, "popularity": 0, "list": 0}
    assert found["freshness_ms_p50"] == found["freshness_ms_p99"], "what was slow is an earlier interval's"
    assert 19 < found["freshness_ms_p99"] < 21
    assert (found["lag"], found["coverage"], found["alarms"]) == (6, 0.25, 3)


def test_a_worker_that_was_started_anew_counts_from_its_second_report() -> None:
    pulse, before = Pulse(), Status()
    work(before, 100, 20.0)
    pulse.beat({"a": report(before, NOW, started=1.0)}, NOW)
    again = Status()
    work(again, 7, 20.0)
    assert beat(pulse, NOW + 2000, a=report(again, NOW + 2000, started=2.0))["events"] == 0
    work(again, 5, 20.0)
    assert beat(pulse, NOW + 4000, a=report(again, NOW + 4000, started=2.0))["events"] == 5


def test_a_silent_worker_is_left_out_and_a_quiet_interval_has_no_freshness() -> None:
    pulse, gone, here = Pulse(), Status(), Status()
    pulse.beat({"gone": report(gone, NOW - 60_000), "here": report(here, NOW)}, NOW)
    found = beat(pulse, NOW + 2000, gone=report(gone, NOW - 60_000), here=report(here, NOW + 2000))
    assert (found["workers"], found["events"], found["lag"]) == (1, 0, 3)
    assert found["freshness_ms_p50"] is None
