"""A scorer whose hit rate changes is noticed, one whose rate only fluctuates is not."""

from __future__ import annotations

import numpy as np
import pytest
from river.drift import ADWIN

from models.checks import differences
from models.combine import SCORERS
from models.combiner import WATCHED
from models.drift import NAMES, Drift, Window


def rates(draw: np.random.Generator, p: np.ndarray) -> np.ndarray:
    """Return hit rates over as many rankings as the fold makes one of."""
    return np.asarray(draw.binomial(WATCHED, p) / WATCHED)


@pytest.mark.parametrize("scorer", [0, 3, len(SCORERS) - 1])
@pytest.mark.parametrize(("before", "after"), [(0.1, 0.3), (0.4, 0.2)])
def test_a_change_is_an_alarm_of_that_scorer_alone(scorer: int, before: float, after: float) -> None:
    draw, drift, p = np.random.default_rng(scorer), Drift(), np.full(len(NAMES), 0.15)
    p[scorer] = before
    for _ in range(200):
        drift.update(rates(draw, p))
    assert not drift.alarms.any()
    p[scorer] = after
    for _ in range(100):
        drift.update(rates(draw, p))
    assert np.flatnonzero(drift.alarms).tolist() == [scorer]
    assert drift.rates[scorer] == pytest.approx(after, abs=0.05)


def test_rates_that_only_fluctuate_raise_no_alarm() -> None:
    draw, drift, p = np.random.default_rng(0), Drift(), np.linspace(0.02, 0.5, len(NAMES))
    for _ in range(1500):
        drift.update(rates(draw, p))
    assert not drift.alarms.any()
    np.testing.assert_allclose(drift.rates, p, atol=0.02)


def test_an_alarm_of_the_blend_is_counted_as_its_own() -> None:
    drift = Drift()
    rate = np.full(len(NAMES), 0.2)
    for blend in [0.2] * 100 + [0.6] * 100:
        rate[-1] = blend
        drift.update(rate)
    assert drift.alarms[-1] > 0
    assert not drift.alarms[:-1].any()


def test_a_restored_watch_has_the_same_bytes_and_goes_on_alike() -> None:
    draw, one, other = np.random.default_rng(0), Drift(), Drift()
    for _ in range(150):
        one.update(rates(draw, np.full(len(NAMES), 0.2)))
    other.restore(one.state())
    assert differences(one.state(), other.state()) == []
    for p in (0.2, 0.5, 0.1):
        for _ in range(60):
            seen = rates(draw, np.full(len(NAMES), p))
            one.update(seen)
            other.update(seen)
            assert np.array_equal(one.alarms, other.alarms)
    assert one.alarms.sum() > 0
    assert differences(one.state(), other.state()) == []


def test_a_window_is_rivers_adwin() -> None:
    draw, ours, adwin = np.random.default_rng(3), Window(), ADWIN(clock=1, min_window_length=8, grace_period=16)
    for value in np.concatenate([draw.binomial(30, p, 300) / 30 for p in (0.1, 0.4, 0.4, 0.2)]).tolist():
        adwin.update(value)
        assert ours.update(value) == adwin.drift_detected
        assert ours.mean == adwin.estimation
