"""A reason names the scorer whose terms are largest in sum, and the user's items with its largest terms."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from workload import events, learned

from contracts.learning import HISTORY
from models.combine import Tables
from models.engine import Engine
from models.explain import _LOOK_BACK, GROUNDS
from models.ranking import NONE, Lists, Ragged, top

REASONS = 20


@pytest.fixture(scope="module")
def engine() -> Engine:
    return learned(events(1500))


def lists(engine: Engine, recent: np.ndarray) -> Lists:
    """Return lists with reasons of users who have had their recent items."""
    n = len(engine.items.catalogue)
    seen = Ragged(recent.ravel(), np.arange(len(recent)) * HISTORY, np.full(len(recent), HISTORY))
    vectors = engine.items.embeddings.users(recent)
    return top(vectors, recent, seen, np.zeros(n, np.bool_), engine.items.tables(), 30, REASONS)


def users(t: Tables, b: int, longest: int, seed: int = 0) -> np.ndarray:
    """Return the recent rows, all different, of random users."""
    draw, recent = np.random.default_rng(seed), np.full((b, HISTORY), NONE, np.int32)
    for user in range(b):
        length = draw.integers(1, longest + 1)
        recent[user, :length] = draw.permutation(len(t.known))[:length]
        recent[user, :length][draw.random(length) < 0.1] = NONE
    return recent


def terms(recent: np.ndarray, t: Tables) -> tuple[reference.Blend, np.ndarray]:
    """Return the blend and each earlier item's scaled term: (scorers, HISTORY, rows)."""
    row = recent.tolist()
    blend = reference.blend(row, reference.candidates(t, row), t)
    return blend, np.stack(reference.terms(row, t)) * blend.scales[:, None, None]


@pytest.mark.parametrize("longest", [3, _LOOK_BACK])
def test_terms_and_bias_add_up_to_the_score(engine: Engine, longest: int) -> None:
    t = engine.items.tables()
    recent = users(t, 20, longest)
    made = lists(engine, recent)
    for user in range(len(recent)):
        blend, scaled = terms(recent[user], t)
        total = scaled.sum(axis=(0, 1)) + blend.scales[0] * t.biases - blend.centre
        np.testing.assert_allclose(made.scores[user], total[made.rows[user]], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("longest", [1, 5, _LOOK_BACK, 40])
def test_the_named_scorer_has_the_largest_sum(engine: Engine, longest: int) -> None:
    t = engine.items.tables()
    recent = users(t, 20, longest)
    made = lists(engine, recent)
    for user in range(len(recent)):
        sums = terms(recent[user], t)[1][:, :_LOOK_BACK].sum(axis=1)
        for row, scorer in zip(made.rows[user, :REASONS], made.scorers[user], strict=True):
            assert sums[scorer, row] >= sums[:, row].max() - 1e-4


@pytest.mark.parametrize("longest", [1, 5, _LOOK_BACK, 40])
def test_grounds_are_the_items_with_the_largest_terms(engine: Engine, longest: int) -> None:
    t = engine.items.tables()
    recent = users(t, 20, longest)
    made = lists(engine, recent)
    for user in range(len(recent)):
        _, scaled = terms(recent[user], t)
        for row, scorer, grounds in zip(made.rows[user], made.scorers[user], made.grounds[user], strict=False):
            of_items = dict(zip(recent[user, :_LOOK_BACK].tolist(), scaled[scorer, :_LOOK_BACK, row], strict=True))
            best = sorted((term for term in of_items.values() if term > 1e-5), reverse=True)[:GROUNDS]
            named = [of_items[ground] for ground in grounds.tolist() if ground != NONE]
            assert named[: len(best)] == pytest.approx(best, abs=1e-4)
            assert all(term < 1e-4 for term in named[len(best) :])


def test_grounds_are_items_that_the_user_had(engine: Engine) -> None:
    recent = users(engine.items.tables(), 20, 40)
    made = lists(engine, recent)
    for user in range(len(recent)):
        assert set(made.grounds[user].ravel().tolist()) <= {NONE, *recent[user].tolist()}


def test_an_item_had_twice_is_named_once(engine: Engine) -> None:
    recent = np.full((1, HISTORY), NONE, np.int32)
    recent[0, :5] = [4, 9, 4, 9, 4]
    for grounds in lists(engine, recent).grounds[0].tolist():
        named = [row for row in grounds if row != NONE]
        assert len(set(named)) == len(named)


def test_who_had_nothing_has_no_grounds(engine: Engine) -> None:
    made = lists(engine, np.full((1, HISTORY), NONE, np.int32))
    assert (made.grounds == NONE).all()


def test_one_user_leaves_nothing_to_the_next(engine: Engine) -> None:
    recent = users(engine.items.tables(), 12, 10)
    together = lists(engine, recent)
    for user in range(len(recent)):
        alone = lists(engine, recent[user : user + 1])
        assert together.scorers[user].tolist() == alone.scorers[0].tolist()
        assert together.grounds[user].tolist() == alone.grounds[0].tolist()
