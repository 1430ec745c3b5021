"""How likely an item is to be chosen again: its own share of repeats, and the share of repeats at that distance."""

from __future__ import annotations

import numpy as np
import pytest
import reference

from contracts.learning import HISTORY
from models.scorers.repeats import Repeats, learn, score

ROWS = 12


def learned(events: list[tuple[int, list[int]]]) -> Repeats:
    """Return counts that learned (row, history newest first)."""
    repeats = Repeats(ROWS)
    for row, recent in events:
        learn(np.int32(row), np.array(recent, np.int32), repeats.arrays(ROWS))
    return repeats


def scores(repeats: Repeats, recent: list[int]) -> np.ndarray:
    """Return the kernel's scores."""
    out = np.zeros(ROWS, np.float32)
    score(np.array(recent, np.int32), repeats.arrays(ROWS), out)
    return out


def stream(n: int, seed: int = 0) -> list[tuple[int, list[int]]]:
    draw = np.random.default_rng(seed)
    return [
        (int(draw.integers(ROWS)), draw.integers(-1, ROWS, int(draw.choice([0, 1, 5, HISTORY]))).tolist())
        for _ in range(n)
    ]


def test_only_the_latest_use_of_an_item_is_its_distance() -> None:
    repeats = learned([(3, []), (3, [4, 3, 5, 3]), (4, [4]), (5, [1, 2])])
    assert repeats.events[[3, 4, 5]].tolist() == [2.0, 1.0, 1.0]
    assert repeats.again[[3, 4, 5]].tolist() == [1.0, 1.0, 0.0]
    assert repeats.lags[:4].tolist() == [1.0, 1.0, 0.0, 0.0]
    assert repeats.lags[HISTORY:].tolist() == [2.0, 4.0]


@pytest.mark.parametrize("seed", range(5))
def test_scores_are_the_formula(seed: int) -> None:
    repeats = learned(stream(400, seed))
    recent = np.random.default_rng(seed + 100).integers(-1, ROWS, HISTORY).tolist()
    for length in (0, 1, 4, HISTORY):
        got, expected = scores(repeats, recent[:length]), reference.again(recent[:length], repeats.arrays(ROWS))
        np.testing.assert_allclose(got, expected, rtol=1e-6)
        assert set(np.flatnonzero(got)) <= set(recent[:length])


def test_before_any_repeat_nothing_is_said() -> None:
    repeats = learned([(1, []), (2, [1]), (3, [2, 1])])
    assert not scores(repeats, [1, 2, 3]).any()


def test_what_is_chosen_again_more_often_scores_higher() -> None:
    repeats = learned([(1, [1]), (2, [3])] * 30)
    got = scores(repeats, [2])[2], scores(repeats, [1])[1]
    assert got[1] > 2 * got[0]


def test_counts_go_on_beyond_what_single_precision_counts() -> None:
    repeats = Repeats(ROWS)
    repeats.events[1] = repeats.again[1] = repeats.lags[0] = repeats.lags[-2] = repeats.lags[-1] = 2.0**24
    learn(np.int32(1), np.array([1], np.int32), repeats.arrays(ROWS))
    assert repeats.events[1] == repeats.again[1] == repeats.lags[0] == repeats.lags[-1] == 2.0**24 + 1


def test_a_restored_model_goes_on_alike() -> None:
    one, other = learned(stream(100)), Repeats(2 * ROWS)
    other.restore(one.state(ROWS))
    one.grow(2 * ROWS)
    for row, recent in stream(100, 1):
        for each in (one, other):
            learn(np.int32(row), np.array(recent, np.int32), each.arrays(2 * ROWS))
    for name, array in one.state(2 * ROWS).items():
        assert np.array_equal(array, other.state(2 * ROWS)[name])
