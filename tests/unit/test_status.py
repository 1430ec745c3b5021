"""What a worker says of itself: percentiles without memory, and counts that add up."""

from __future__ import annotations

import numpy as np
import pytest

from models.engine import Ranks
from streams.watching.status import Histogram, Status

SHARES = [0.01, 0.5, 0.9, 0.99, 0.999]


@pytest.mark.parametrize("median", [5.0, 40.0, 3000.0, 100_000.0])
def test_percentiles_are_within_five_percent(median: float) -> None:
    durations = median * np.random.default_rng(0).lognormal(0.0, 0.3, 20_000)
    histogram = Histogram()
    for part in np.array_split(durations, 7):
        histogram.add(part)
    for share in SHARES:
        exact = float(np.quantile(durations, share, method="inverted_cdf"))
        assert histogram.percentile(share) == pytest.approx(exact, rel=0.05)


@pytest.mark.parametrize("duration", [4.0, 17.3, 999.0, 3_600_000.0])
def test_all_percentiles_of_one_duration_are_that_duration(duration: float) -> None:
    histogram = Histogram()
    histogram.add(np.array([duration]))
    for share in (0.0001, 0.5, 1.0):
        assert histogram.percentile(share) == pytest.approx(duration, rel=0.05)


def test_durations_beyond_the_bins_are_counted_in_the_last_ones() -> None:
    histogram = Histogram()
    histogram.add(np.array([-5.0, 0.0, 1e-9, 1e12]))
    assert histogram.percentile(0.5) == 0.1
    last = histogram.percentile(1.0)
    assert last is not None
    assert 3_600_000 < last < 6_000_000


def test_without_durations_there_is_no_percentile() -> None:
    histogram = Histogram()
    histogram.add(np.zeros(0))
    assert histogram.percentile(0.5) is None


def ranks(*values: float) -> Ranks:
    return Ranks(np.arange(len(values)), np.array(values), np.array(values) + 5)


def test_a_report_adds_up() -> None:
    status = Status()
    status.observed("clicks", 10, 2, 3, ranks(1.0, 20.0), np.array([True, False]))
    status.observed("ratings", 5, 0, 1, ranks(2.0), np.array([True]))
    status.delivered(np.full(13, 20.0), np.arange(13) % 4, ["malformed", "bad id"])
    status.refused(["malformed"])
    status.lists_written += 7
    report = status.report()
    assert report["events_applied"] == 13
    assert report["events_by_topic"] == {"clicks": 8, "ratings": 5}
    assert report["hits_at_10"] == {"blend": 2, "popularity": 2, "list": 2}
    assert report["untaught"] == 4
    assert report["duplicates"] == 2
    assert report["lists_written"] == 7
    assert report["batches"] == 2
    assert report["events_per_batch"] == 6.5
    assert report["dead_letters"] == 3
    assert report["dead_letters_by_reason"] == {"malformed": 2, "bad id": 1}
    assert report["scored"] == 3
    assert report["hit_rate_at_10"] == report["list_hit_rate_at_10"] == round(2 / 3, 5)
    assert report["popularity_hit_rate_at_10"] == round(2 / 3, 5)
    assert report["freshness_ms_p50"] == pytest.approx(20.0, rel=0.05)


def test_a_worker_that_has_done_nothing_reports_too() -> None:
    report = Status().report(worker="w1", ready=False)
    assert report["worker"] == "w1"
    assert report["events_applied"] == 0
    assert report["events_per_second"] is None
    assert report["freshness_ms_p99"] is None
    assert report["time"] >= 1000 * report["started"] - 1
