"""Neighbours are close in both orders, embeddings and co-occurrence, and either is enough."""

from __future__ import annotations

import numpy as np
import pytest

from models.scorers.cooccurrence import Cooccurrence, learn
from models.similar import _cosines, similar

ROWS = 40


@pytest.fixture
def outputs() -> np.ndarray:
    return np.random.default_rng(0).normal(0, 1, (ROWS, 64)).astype(np.float32)


@pytest.fixture
def pairs() -> Cooccurrence:
    """Item 0 was had with 1, 2 … 9, with the first ones more often."""
    pairs = Cooccurrence(ROWS)
    for row in range(1, 10):
        for _ in range(20 - 2 * row):
            learn(row, np.float32(1.0), np.zeros(1, np.int32), pairs.arrays(ROWS))
    return pairs


def by_count(pairs: Cooccurrence) -> list[int]:
    """Return item 0's neighbours by the cosine of the counts."""
    rows, cosines = pairs.neighbours_of(0)
    found: list[int] = rows[np.lexsort((rows, -cosines))].tolist()
    return found


SHOWN = np.ones(ROWS, np.bool_)


def test_cosines_are_those_of_the_vectors(outputs: np.ndarray) -> None:
    outputs[7] = 0.0
    shown = SHOWN.copy()
    shown[9] = False
    out = np.empty(ROWS, np.float32)
    for row in (3, 7):
        _cosines(outputs, row, shown, out)
        norms = np.maximum(np.linalg.norm(outputs, axis=1), 1e-9)
        expected = outputs @ outputs[row] / norms / norms[row]
        assert out[9] == -2.0
        np.testing.assert_allclose(out[shown], expected[shown], atol=1e-5)


def test_scores_are_the_fused_ranks(outputs: np.ndarray, pairs: Cooccurrence) -> None:
    units = outputs / np.linalg.norm(outputs, axis=1, keepdims=True)
    cosines = units @ units[0]
    by_embedding = [row for row in np.argsort(-cosines).tolist() if row and cosines[row] > 0]
    orders = by_embedding, by_count(pairs)
    expected = {
        row: sum(61 / 2 / (61 + order.index(row)) for order in orders if row in order) for row in range(1, ROWS)
    }
    rows, scores = similar(0, outputs, pairs, SHOWN, 12)
    assert scores == pytest.approx(sorted(expected.values(), reverse=True)[:12])
    assert [expected[row] for row in rows.tolist()] == pytest.approx(scores)


def test_what_is_first_in_both_orders_has_score_one(outputs: np.ndarray, pairs: Cooccurrence) -> None:
    outputs[by_count(pairs)[0]] = outputs[0]
    rows, scores = similar(0, outputs, pairs, SHOWN, 3)
    assert rows[0] == by_count(pairs)[0]
    assert scores[0] == 1.0


def test_an_item_without_events_has_the_neighbours_of_its_embedding(outputs: np.ndarray, pairs: Cooccurrence) -> None:
    outputs[30] = outputs[31] + 0.1 * outputs[32]
    assert similar(30, outputs, pairs, SHOWN, 5)[0][0] == 31


def test_an_item_without_an_embedding_has_the_neighbours_of_its_counts(
    outputs: np.ndarray, pairs: Cooccurrence
) -> None:
    outputs[0] = 0.0
    assert similar(0, outputs, pairs, SHOWN, 99)[0].tolist() == by_count(pairs)


def test_neighbours_are_shown_others(outputs: np.ndarray, pairs: Cooccurrence) -> None:
    shown = np.random.default_rng(1).random(ROWS) < 0.5
    for row in range(ROWS):
        rows, scores = similar(row, outputs, pairs, shown, 99)
        assert shown[rows].all()
        assert row not in rows
        assert len(set(rows.tolist())) == len(rows)
        assert (np.diff(scores) <= 0).all()


def test_one_item_alone_has_no_neighbours() -> None:
    rows, scores = similar(0, np.ones((1, 64), np.float32), Cooccurrence(1), SHOWN[:1], 5)
    assert (len(rows), len(scores)) == (0, 0)
