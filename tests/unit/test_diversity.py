"""Maximal marginal relevance at request time."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from serving.lists.diversity import diversified

vectors = st.lists(
    st.none() | st.lists(st.integers(-2, 2), min_size=3, max_size=3).map(lambda row: np.array(row, np.float32)),
    max_size=12,
)


def falling(n: int) -> NDArray[np.float32]:
    return np.linspace(1.0, 0.0, n, dtype=np.float32)


@given(vectors, st.floats(0, 1))
def test_the_order_is_the_rule_applied_item_by_item(given_: list[NDArray[np.float32] | None], diversity: float) -> None:
    def cosine(a: NDArray[np.float32] | None, b: NDArray[np.float32] | None) -> float:
        if a is None or b is None or not a.any() or not b.any():
            return 0.0
        return float(a @ b / (np.linalg.norm(a) * np.linalg.norm(b)))

    relevance = falling(len(given_))
    order = list(diversified(relevance, given_, diversity))
    assert sorted(order) == list(range(len(given_)))
    for place in range(1, len(order)):
        left = order[place:]
        worth = [
            (1 - diversity) * relevance[i] - diversity * max(cosine(given_[i], given_[j]) for j in order[:place])
            for i in left
        ]
        assert worth[0] >= max(worth) - 1e-5


@given(vectors)
def test_without_diversity_the_order_stays_and_the_first_always_does(given_: list[NDArray[np.float32] | None]) -> None:
    assert list(diversified(falling(len(given_)), given_, 0.0)) == list(range(len(given_)))
    assert list(diversified(falling(len(given_)), given_, 0.9))[:1] == ([0] if given_ else [])


def test_of_two_that_fit_alike_the_one_unlike_the_first_comes_next() -> None:
    a, b = np.array([1, 0], np.float32), np.array([0, 1], np.float32)
    assert list(diversified(np.array([1, 0.9, 0.8], np.float32), [a, a, b], 0.5)) == [0, 2, 1]
