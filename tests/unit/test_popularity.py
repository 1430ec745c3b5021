"""A count halves while so many events pass as its half-life says, whatever happened between."""

from __future__ import annotations

import numpy as np
import pytest

from models.scorers.popularity import _RESCALE_AT, HALF_LIVES, POPULAR, TRENDING, Popularity

RESCALED = int(_RESCALE_AT * min(HALF_LIVES))  # events until the first rescaling


def reference(rows: np.ndarray, weights: np.ndarray, n: int) -> np.ndarray:
    """Return Σ weight · 2^(−events since / half-life) per row and half-life."""
    since = np.arange(len(rows))[::-1]
    counts = [np.bincount(rows, weights * 0.5 ** (since / half_life), n) for half_life in HALF_LIVES]
    return np.stack(counts, axis=1)


def counts(popularity: Popularity) -> np.ndarray:
    """Return the decayed counts in events of now."""
    return popularity.counts * 0.5 ** popularity.state(0)["age"]


@pytest.mark.parametrize("n", [1, 50, 3000, RESCALED - 1, RESCALED + 40, int(3.5 * RESCALED)])
def test_counts_decay_by_their_half_lives(n: int) -> None:
    draw = np.random.default_rng(n)
    rows = (8 * draw.random(n) ** 2).astype(np.int32)
    weights = draw.choice([0.5, 1.0, 3.0], n).astype(np.float32)
    popularity = Popularity(8)
    for start in range(0, n, 10_007):
        popularity.learn(rows[start : start + 10_007], weights[start : start + 10_007])
    np.testing.assert_allclose(counts(popularity), reference(rows, weights, 8), rtol=1e-9, atol=1e-70)


def test_a_long_stream_stays_finite() -> None:
    popularity = Popularity(2)
    n = 20 * RESCALED
    popularity.learn(np.ones(n, np.int32), np.ones(n, np.float32))
    assert np.isfinite(popularity.counts).all()
    for half_life in (POPULAR, TRENDING):
        steady = 1.0 / (1.0 - 0.5 ** (1.0 / HALF_LIVES[half_life]))
        assert counts(popularity)[1, half_life] == pytest.approx(steady, rel=1e-9)


def test_batches_do_not_matter() -> None:
    rows, weights = np.random.default_rng(0).integers(0, 9, 30_000).astype(np.int32), np.ones(30_000, np.float32)
    whole, parts = Popularity(9), Popularity(9)
    whole.learn(rows, weights)
    for start in range(0, len(rows), 1000):
        parts.learn(rows[start : start + 1000], weights[start : start + 1000])
    assert np.array_equal(whole.counts, parts.counts)


def test_a_restored_model_that_grew_goes_on_alike() -> None:
    rows, weights = np.arange(6, dtype=np.int32), np.ones(6, np.float32)
    one, other = Popularity(6), Popularity(10)
    one.learn(rows, weights)
    other.restore(one.state(6))
    one.grow(10)
    for each in (one, other):
        each.learn(rows + 4, weights)
    assert np.array_equal(one.counts, other.counts)
