"""The blend and its scorers are the formulas of their docstrings."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from workload import events, introduce, learned

from models.combine import (
    AGAIN,
    CONTEXTS,
    EMBEDDINGS,
    OPINION,
    OWN,
    SCORERS,
    STANDING,
    Tables,
    moments,
    prior,
    standing,
)
from models.engine import Engine
from models.item_model import ItemModel
from models.profiles import Profiles
from models.ranking import Scores, apart


def tables(repeats: bool) -> Tables:
    """Return the tables of a small model with random weights; its last three items were introduced and not known."""
    engine = learned(events(1500), engine=Engine(resident_users=1000, allow_repeats=repeats))
    introduce(engine.items, ["new 1", "new 2", "new 3"])
    weights = np.random.default_rng(0).normal(0.3, 0.5, (len(CONTEXTS), len(SCORERS))).astype(np.float32)
    return engine.items.tables()._replace(weights=weights)


@pytest.fixture(scope="module", params=[False, True], ids=["no repeats", "repeats"])
def t(request: pytest.FixtureRequest) -> Tables:
    return tables(request.param)


def scored(user: Profiles, candidate: np.ndarray, t: Tables) -> Scores:
    """Return what the kernels say."""
    vector = reference.user_vector(user.recent[0].tolist(), t.vectors.inputs.astype(np.float64))
    return apart(vector.astype(np.float32), user, candidate, t)


@pytest.mark.parametrize("seed", range(12))
def test_scores_are_the_weighted_standardised_sums(t: Tables, seed: int) -> None:
    user = reference.random_user(np.random.default_rng(seed), len(t.known))
    candidate = reference.candidates(t, user.recent[0].tolist())
    scores, expected = scored(user, candidate, t), reference.blend(user, candidate, t)
    np.testing.assert_allclose(scores.own, reference.own(user, t), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(scores.scales, expected.scales, rtol=1e-4)
    np.testing.assert_allclose(scores.blend, expected.scores, rtol=1e-4, atol=1e-4)
    assert scores.shift == pytest.approx(expected.shift, rel=1e-4, abs=1e-4)


def test_standing_scorers_are_standardised_over_the_known_items(t: Tables) -> None:
    got = standing(t)
    np.testing.assert_allclose(got, reference.standing(t), rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(got[:, t.known].mean(axis=1), np.zeros(len(STANDING)), atol=1e-5)
    np.testing.assert_allclose(got[:, t.known].std(axis=1), np.ones(len(STANDING)), rtol=1e-5)


def test_the_prior_is_the_standing_scorers_part_in_each_context(t: Tables) -> None:
    weights = t.weights[:, len(OWN) :].astype(np.float64)
    np.testing.assert_allclose(prior(standing(t), t.weights), weights @ reference.standing(t), rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("seed", range(3))
def test_over_the_candidates_the_scales_undo_the_deviations(t: Tables, seed: int) -> None:
    user = reference.random_user(np.random.default_rng(seed), len(t.known))
    candidate = reference.candidates(t, user.recent[0].tolist())
    scores = scored(user, candidate, t)
    for f, scale in enumerate(scores.scales):
        weight = t.weights[user.context[0], f]
        if scores.own[f][candidate].std() > 0.0:
            assert scale * scores.own[f][candidate].std() == pytest.approx(weight, rel=1e-4)
        else:
            assert scale == 0.0


def test_each_context_has_its_own_weights(t: Tables) -> None:
    recent = np.random.default_rng(0).integers(0, len(t.known), 8).tolist()
    candidate = reference.candidates(t, recent)
    for context in range(len(CONTEXTS)):
        only = np.zeros_like(t.weights)
        only[context, EMBEDDINGS] = 1.0
        for asked in range(len(CONTEXTS)):
            scores = scored(reference.user(recent, context=asked), candidate, t._replace(weights=only))
            assert scores.blend.any() == (asked == context)


def test_repeats_speak_only_where_they_are_recommended() -> None:
    for allowed in (False, True):
        t = tables(allowed)
        scores = scored(reference.user([1, 2, 3]), t.known.copy(), t)
        assert scores.own[AGAIN].any() == allowed
        assert (scores.scales[AGAIN] != 0.0) == allowed


def test_what_resembles_the_disliked_sinks_and_what_resembles_the_liked_rises(t: Tables) -> None:
    for opinion in (-1.5, 1.5):
        own = scored(reference.user([-1], [4], [opinion]), t.known.copy(), t).own
        assert (np.sign(own[OPINION][own[OPINION] != 0.0]) == np.sign(opinion)).all()
        assert own[OPINION].any()
        assert not own[1:OPINION].any()


def test_a_user_without_known_items_gets_the_biases_and_what_stands(t: Tables) -> None:
    scores = scored(reference.user([-1, -1]), t.known.copy(), t)
    biases = t.vectors.biases.astype(np.float64)
    mean, inverse = reference.moments(biases, t.known)
    expected = t.weights[0, EMBEDDINGS] * (biases - mean) * inverse + t.weights[0, len(OWN) :] @ reference.standing(t)
    np.testing.assert_allclose(scores.blend, expected, atol=1e-4)
    assert scores.scales[1:].tolist() == [0.0] * (len(OWN) - 1)


def test_without_candidates_all_scores_are_finite(t: Tables) -> None:
    scores = scored(reference.user([1, 2]), np.zeros(len(t.known), np.bool_), t)
    assert np.isfinite(scores.blend).all()
    assert not scores.scales.any()


@pytest.mark.parametrize("bias", [0.0, 0.1, 0.7, -3.3])
@pytest.mark.parametrize("n", [1, 2, 7, 200])
def test_a_scorer_that_says_the_same_of_all_candidates_says_nothing(bias: float, n: int) -> None:
    model = ItemModel()
    introduce(model, [str(index) for index in range(201)])
    model.embeddings.biases[:200] = bias
    scores = scored(reference.user([]), np.arange(201) < n, model.tables())
    assert scores.scales.tolist() == [0.0] * len(OWN)
    assert not scores.blend.any()


@pytest.mark.parametrize("offset", [0.0, 5.0, -300.0])
def test_moments_are_mean_and_inverse_deviation_over_the_candidates(offset: float) -> None:
    draw = np.random.default_rng(0)
    scores, candidate = (draw.normal(offset, 0.3, 5000)).astype(np.float32), draw.random(5000) < 0.4
    got, expected = moments(scores, candidate), reference.moments(scores.astype(np.float64), candidate)
    assert got == pytest.approx(expected, rel=1e-6)
    # What lies beyond the candidates is none of them, whatever stands there.
    scores[3000:] = np.float32(1e30)
    assert moments(scores, candidate[:3000]) == pytest.approx(
        reference.moments(scores[:3000].astype(np.float64), candidate[:3000]), rel=1e-6
    )
