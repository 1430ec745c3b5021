"""Selection is a stable sort, and a rank the position that it gives, ties at their mean."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st

from models.selection import EXCLUDED, NONE, mean_rank, select


def selected(scores: np.ndarray, n: int) -> list[int]:
    """Return the rows that the kernel selects, and check what it writes with them."""
    rows, best = np.full(n, NONE, np.int32), np.zeros(n, np.float32)
    length = select(scores, rows, best)
    assert (rows[length:] == NONE).all()
    assert best[:length].tolist() == scores[rows[:length]].tolist()
    found: list[int] = rows[:length].tolist()
    return found


@given(st.lists(st.integers(-6, 6) | st.none(), max_size=300), st.integers(0, 120))
def test_selection_equals_a_stable_sort(values: list[int | None], n: int) -> None:
    scores = np.array([EXCLUDED if value is None else value for value in values], np.float32)
    order = np.argsort(-scores, kind="stable").tolist()
    assert selected(scores, n) == [row for row in order if values[row] is not None][:n]


@given(st.lists(st.floats(-(2.0**99), 2.0**99, width=32), max_size=200), st.integers(1, 50))
def test_selection_takes_any_finite_scores(values: list[float], n: int) -> None:
    scores = np.array(values, np.float32)
    assert selected(scores, n) == np.argsort(-scores, kind="stable")[:n].tolist()


@pytest.mark.parametrize("seed", range(4))
def test_selection_among_many_with_ties_equals_a_stable_sort(seed: int) -> None:
    draw = np.random.default_rng(seed)
    scores = np.round(draw.normal(0, 1, 20_000), 2 - seed % 2).astype(np.float32)
    scores[draw.random(20_000) < 0.3] = EXCLUDED
    order = np.argsort(-scores, kind="stable")
    assert selected(scores, 100) == order[:100].tolist()


@given(st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=1, max_size=60), st.data())
def test_ranks_count_the_better_candidates_and_half_the_equal_ones(
    values: list[tuple[int, bool]], data: st.DataObject
) -> None:
    target = data.draw(st.integers(0, len(values) - 1))
    scores = np.array([score for score, _ in values], np.float32)
    candidate = np.array([is_one for _, is_one in values])
    assert mean_rank(scores, target, candidate) == reference.mean_rank(scores, target, candidate)
