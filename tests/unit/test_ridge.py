"""Learning some examples after others gives what solving for all at once gives."""

from __future__ import annotations

import numpy as np
import pytest

from models.content.ridge import Ridge

D, M, STRENGTH = 12, 5, 3.0


def examples(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return inputs with many zeros, outputs and weights."""
    draw = np.random.default_rng(seed)
    x = draw.normal(size=(n, D)) * (draw.random((n, D)) < 0.4)
    y = x @ draw.normal(size=(D, M)) + draw.normal(size=(n, M))
    return x, y, draw.uniform(0.5, 9.0, n)


def solved(x: np.ndarray, y: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the map by the normal equations."""
    weighted = x * weights[:, None]
    return np.asarray(np.linalg.solve(weighted.T @ x + STRENGTH * np.eye(D), weighted.T @ y))


@pytest.mark.parametrize("n", [1, 5, 400])
def test_the_map_is_the_solution_of_the_normal_equations(n: int) -> None:
    ridge, (x, y, weights) = Ridge(D, M, STRENGTH), examples(n)
    for start in range(0, n, 7):
        part = slice(start, start + 7)
        ridge.learn(x[part], y[part], weights[part])
    np.testing.assert_allclose(ridge.map, solved(x, y, weights), rtol=1e-9, atol=1e-10)
    np.testing.assert_allclose(ridge.predict(x), x @ solved(x, y, weights), rtol=1e-9, atol=1e-10)
    assert ridge.learned == n


def test_it_predicts_zero_before_it_has_learned() -> None:
    assert not Ridge(D, M, STRENGTH).predict(examples(3)[0]).any()


def test_it_stays_exact_after_a_hundred_thousand_examples() -> None:
    ridge, (x, y, weights) = Ridge(D, M, STRENGTH), examples(100_000)
    ridge.learn(x, y, weights)
    np.testing.assert_allclose(ridge.map, solved(x, y, weights), rtol=1e-6, atol=1e-9)
    np.testing.assert_allclose(ridge.inverse, ridge.inverse.T, rtol=1e-9, atol=1e-15)


def test_a_restored_one_goes_on_with_the_same_bytes() -> None:
    one, other, (x, y, weights) = Ridge(D, M, STRENGTH), Ridge(D, M, STRENGTH), examples(20)
    one.learn(x[:9], y[:9], weights[:9])
    kept = one.state()
    other.restore(kept)
    before = kept["map"].copy()
    for ridge in (one, other):
        ridge.learn(x[9:], y[9:], weights[9:])
    assert one.map.tobytes() == other.map.tobytes()
    assert (kept["map"] == before).all()
