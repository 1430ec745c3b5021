"""The blend is the formula of its docstring."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from workload import events, introduce, learned

from contracts.learning import HISTORY
from models.combine import PRESET, SCORERS, Tables
from models.combine import blend as inlined
from models.item_model import ItemModel
from models.kernel import kernel


@kernel
def _blend(products, recent, candidate, t, followed, together, scales, out):  # type: ignore[no-untyped-def]
    inlined(products, recent, candidate, t, followed, together, scales, out)


def blend(recent: list[int], candidate: np.ndarray, t: Tables) -> tuple[np.ndarray, np.ndarray]:
    """Return the kernel's scores and scales."""
    rows = np.full(HISTORY, -1, np.int32)
    rows[: len(recent)] = recent
    vector = reference.user_vector(recent, t.inputs.astype(np.float64))
    n = len(t.known)
    scales, out = np.zeros(len(SCORERS), np.float32), np.zeros(n, np.float32)
    products = (t.outputs @ vector).astype(np.float32)
    _blend(products, rows, candidate, t, np.ones(n, np.float32), np.ones(n, np.float32), scales, out)
    return out, scales


@pytest.fixture(scope="module")
def t() -> Tables:
    """Tables of a small model; its last three items were introduced and are not known."""
    engine = learned(events(1500))
    introduce(engine.items, ["new 1", "new 2", "new 3"])
    return engine.items.tables()


@pytest.mark.parametrize("seed", range(12))
def test_scores_are_the_weighted_standardised_sums(t: Tables, seed: int) -> None:
    draw = np.random.default_rng(seed)
    recent = draw.integers(-1, len(t.known), draw.integers(1, HISTORY + 1)).tolist()
    candidate = reference.candidates(t, recent)
    scores, scales = blend(recent, candidate, t)
    expected = reference.blend(recent, candidate, t)
    np.testing.assert_allclose(scores, expected.scores, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(scales, expected.scales, rtol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_over_the_candidates_the_mean_is_zero_and_the_scales_undo_the_deviations(t: Tables, seed: int) -> None:
    recent = np.random.default_rng(seed).integers(0, len(t.known), 8).tolist()
    candidate = reference.candidates(t, recent)
    scores, scales = blend(recent, candidate, t)
    assert scores[candidate].mean() == pytest.approx(0.0, abs=1e-4)
    parts = [each.sum(axis=0) for each in reference.terms(recent, t)]
    parts[0] = parts[0] + t.biases
    for scale, part, weight in zip(scales, parts, PRESET, strict=True):
        assert scale * part[candidate].std() == pytest.approx(weight, rel=1e-4)


def test_a_user_without_known_items_gets_the_biases(t: Tables) -> None:
    scores, scales = blend([-1, -1], t.known.copy(), t)
    expected = (t.biases - t.biases[t.known].mean()) / t.biases[t.known].std()
    np.testing.assert_allclose(scores, expected, atol=1e-4)
    assert scales[1:].tolist() == [0.0, 0.0]


def test_without_candidates_all_scores_are_finite(t: Tables) -> None:
    scores, scales = blend([1, 2], np.zeros(len(t.known), np.bool_), t)
    assert np.isfinite(scores).all()
    assert not scales.any()


@pytest.mark.parametrize("bias", [0.0, 0.1, 0.7, -3.3])
@pytest.mark.parametrize("n", [1, 2, 7, 200])
def test_a_scorer_that_says_the_same_of_all_candidates_says_nothing(bias: float, n: int) -> None:
    model = ItemModel()
    introduce(model, [str(index) for index in range(201)])
    model.catalogue.count(np.arange(200, dtype=np.int32))
    model.embeddings.biases[:200] = bias
    candidate = np.arange(201) < n
    scores, scales = blend([], candidate, model.tables())
    assert scales.tolist() == [0.0, 0.0, 0.0]
    assert not scores.any()


def test_candidates_that_all_follow_alike_are_not_told_apart_by_it() -> None:
    model = ItemModel()
    rows = introduce(model, ["a", "b", "c", "d"])
    model.catalogue.count(rows)
    history, starts = np.zeros(3, np.int32), np.arange(4)
    model.pairs.learn(rows[1:], np.ones(3, np.float32), history, starts, 0)
    _, scales = blend([0], np.array([False, True, True, True]), model.tables())
    assert scales[1:].tolist() == [0.0, 0.0]
