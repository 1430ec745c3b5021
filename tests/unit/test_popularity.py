"""A count halves while as many events, or hours, pass as its half-life says, whatever happened between."""

from __future__ import annotations

import numpy as np
import pytest
import reference

from models.kernel import kernel
from models.scorers.popularity import (
    _RESCALE_AT,
    DAILY,
    IN_EVENTS,
    IN_HOURS,
    POPULAR,
    TRENDING,
    WEEKLY,
    Popularity,
    learn,
)

HOUR = 3600 * 1000
RESCALED = int(_RESCALE_AT * min(IN_EVENTS))  # events until the first rescaling


@kernel
def _learn(rows, weights, times, c):  # type: ignore[no-untyped-def]
    for event in range(len(rows)):
        learn(rows[event], weights[event], times[event], c)


def learned(rows: np.ndarray, weights: np.ndarray, times: np.ndarray, items: int = 8, size: int = 10_007) -> Popularity:
    """Return counts that learned these events, some at a time."""
    popularity = Popularity(items)
    for start in range(0, len(rows), size):
        part = slice(start, start + size)
        _learn(rows[part], weights[part], times[part], popularity.arrays(items))
    return popularity


def expected(rows: np.ndarray, weights: np.ndarray, times: np.ndarray, items: int = 8) -> np.ndarray:
    """Return Σ weight · 2^(−age / half-life) per row and half-life, ages by the latest clock so far."""
    events = np.arange(len(rows))[::-1]
    clock = np.maximum.accumulate(times)
    hours = (clock[-1] - clock) / HOUR
    ages = [*(events / half_life for half_life in IN_EVENTS), *(hours / half_life for half_life in IN_HOURS)]
    return np.stack([np.bincount(rows, weights * 0.5**age, items) for age in ages], axis=1)


def stream(n: int, step: float, seed: int = 0, items: int = 8) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return rows, weights and times of events about ``step`` hours apart, in order."""
    draw = np.random.default_rng(seed)
    rows = (items * draw.random(n) ** 2).astype(np.int32)
    times = 1_700_000_000_000 + np.cumsum(draw.exponential(step * HOUR, n)).astype(np.int64)
    return rows, draw.choice([0.5, 1.0, 3.0], n).astype(np.float32), times


@pytest.mark.parametrize("n", [1, 50, 3000, RESCALED - 1, RESCALED + 40, int(3.5 * RESCALED)])
@pytest.mark.parametrize("step", [0.001, 1.0, 9.0], ids=["busy", "hourly", "rare"])
def test_counts_decay_by_their_half_lives(n: int, step: float) -> None:
    # At nine hours a step, the hours are rescaled every 700 events.
    rows, weights, times = stream(n, step, n)
    counts = reference.decayed(learned(rows, weights, times).arrays(8))
    np.testing.assert_allclose(counts, expected(rows, weights, times), rtol=1e-8, atol=1e-60)


def test_a_clock_that_steps_back_stands_still_until_it_is_caught_up() -> None:
    rows, weights, times = stream(4000, 1.0)
    times -= np.where(np.random.default_rng(1).random(len(times)) < 0.3, 50 * HOUR, 0)
    counts = learned(rows, weights, times).arrays(8)
    assert counts.clock[0] == times.max()
    np.testing.assert_allclose(reference.decayed(counts), expected(rows, weights, times), rtol=1e-8)


@pytest.mark.parametrize("years", [1, 50, 10_000])
def test_after_a_silence_only_what_came_after_it_counts(years: int) -> None:
    rows, weights = np.array([0, 1], np.int32), np.ones(2, np.float32)
    counts = reference.decayed(learned(rows, weights, np.array([0, years * 8766 * HOUR])).arrays(8))
    assert np.isfinite(counts).all()
    assert counts[1, [DAILY, WEEKLY]].tolist() == [1.0, 1.0]
    assert counts[0, DAILY] < 1e-100
    assert counts[0, POPULAR] > 0.99  # half-lives in events sleep with the stream


def test_a_long_stream_stays_finite_and_comes_to_the_steady_count() -> None:
    n = 20 * RESCALED
    popularity = learned(np.ones(n, np.int32), np.ones(n, np.float32), np.arange(n) * HOUR, 2)
    assert np.isfinite(popularity.counts).all()
    counts = reference.decayed(popularity.arrays(2))[1]
    for half_life, in_steps in ((POPULAR, 5000), (TRENDING, 100), (DAILY, 24), (WEEKLY, 168)):
        assert counts[half_life] == pytest.approx(1.0 / (1.0 - 0.5 ** (1.0 / in_steps)), rel=1e-9)


def test_batches_do_not_matter() -> None:
    events = stream(30_000, 2.0)
    whole, parts = learned(*events, size=30_000), learned(*events, size=1000)
    for name, array in whole.state(8).items():
        assert np.array_equal(array, parts.state(8)[name])


def test_a_restored_model_that_grew_goes_on_alike() -> None:
    rows, weights, times = stream(500, 3.0)
    one, other = learned(rows, weights, times), Popularity(20)
    other.restore(one.state(8))
    one.grow(20)
    for each in (one, other):
        _learn(rows + 4, weights, times + 500 * HOUR, each.arrays(20))
    for name, array in one.state(20).items():
        assert np.array_equal(array, other.state(20)[name])
