"""A score is the sum of its terms; a reason names the loudest scorer, and the user's items with its largest terms."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from workload import events, learned

from models.combine import OPINION, OWN, SCORERS, Tables, prior
from models.engine import Engine
from models.explain import GROUNDS, LOOK_BACK, contributions
from models.policy import NO_POLICY
from models.profiles import Profiles
from models.ranking import Lists, Ragged, apart, top
from models.selection import NONE

REASONS = 20
CLOSE = 1e-4
SUMS = OPINION + 1  # so many scorers are sums over earlier items


@pytest.fixture(scope="module")
def engine() -> Engine:
    return learned(events(1500))


@pytest.fixture(scope="module", params=range(3))
def t(engine: Engine, request: pytest.FixtureRequest) -> Tables:
    """Tables with all sorts of weights, so that every scorer is the loudest somewhere."""
    weights = np.random.default_rng(request.param).normal(0.3, 0.6, (3, len(SCORERS))).astype(np.float32)
    return engine.items.tables()._replace(weights=weights)


def users(t: Tables, b: int, longest: int) -> list[Profiles]:
    draw = np.random.default_rng(longest)
    return [reference.random_user(draw, len(t.known), longest) for _ in range(b)]


def had(user: Profiles) -> list[int]:
    """Return the rows of a user's earlier items, newest first, -1 = unknown."""
    rows: list[int] = np.maximum(user.recent, user.judged)[0].tolist()
    return rows


def lists(engine: Engine, t: Tables, asked: list[Profiles]) -> Lists:
    """Return lists with reasons of users who have had their earlier items."""
    n = len(t.known)
    mine = np.array([had(user) for user in asked], np.int32)
    seen = Ragged(mine.ravel(), np.arange(len(mine)) * mine.shape[1], np.full(len(mine), mine.shape[1]))
    profiles = reference.together(asked)
    groups, events, withheld = np.zeros((2, n), np.int32), np.zeros(n, np.int64), np.zeros(n, np.bool_)
    rules = NO_POLICY.rules(groups, events, withheld, np.zeros(len(mine), np.uint64))
    vectors = engine.items.embeddings.users(profiles.recent)
    return top(vectors, profiles, seen, withheld, t, rules, 30, REASONS)


def lifts(user: Profiles, t: Tables) -> np.ndarray:
    """Return how far each scorer lifts each item above its mean: (scorers, rows)."""
    candidate = reference.candidates(t, had(user))
    scales, own = reference.blend(user, candidate, t).scales, reference.own(user, t)
    mine = scales[:, None] * (own - own[:, candidate].mean(axis=1, keepdims=True))
    return np.concatenate([mine, t.weights[user.context[0], len(OWN) :, None] * reference.standing(t)])


def scaled_terms(user: Profiles, t: Tables) -> np.ndarray:
    """Return each earlier item's scaled term: (scorers that are sums, HISTORY, rows)."""
    scales = reference.blend(user, reference.candidates(t, had(user)), t).scales
    return np.stack(reference.terms(user, t)) * scales[:SUMS, None, None]


@pytest.mark.parametrize("longest", [3, 12, 50])
def test_terms_biases_and_what_stands_add_up_to_the_score(engine: Engine, t: Tables, longest: int) -> None:
    for user in users(t, 10, longest):
        candidate = reference.candidates(t, had(user))
        scores = apart(engine.items.embeddings.users(user.recent)[0], user, candidate, t)
        rows = np.random.default_rng(0).permutation(len(t.known)).astype(np.int32)
        terms = contributions(user, rows, scores.scales, t).astype(np.float64)
        stands = prior(scores.standing, t.weights)[user.context[0], rows]
        total = terms.sum(axis=(1, 2)) + scores.scales[0] * t.vectors.biases[rows] + stands - scores.shift
        # To single precision of what is added up: the sum itself may come close to zero.
        size = np.abs(terms).sum(axis=(1, 2)) + np.abs(stands) + abs(scores.shift)
        assert (np.abs(total - scores.blend[rows]) <= 1e-5 * np.maximum(size, 1.0)).all()
        assert np.abs(total - scores.blend[rows]).max() <= 1e-5 * np.abs(scores.blend).max()
        np.testing.assert_allclose(
            terms, scaled_terms(user, t).transpose(2, 0, 1)[rows], rtol=1e-3, atol=1e-5, err_msg="terms"
        )


@pytest.mark.parametrize("longest", [1, 5, LOOK_BACK, 40])
def test_the_named_scorer_lifts_the_item_most(engine: Engine, t: Tables, longest: int) -> None:
    asked = users(t, 20, longest)
    made = lists(engine, t, asked)
    for user, rows, scorers in zip(asked, made.rows, made.scorers, strict=True):
        expected = lifts(user, t)
        for row, scorer in zip(rows[:REASONS], scorers, strict=True):
            assert expected[scorer, row] >= expected[:, row].max() - CLOSE
    assert len(set(made.scorers.ravel().tolist())) > 3


@pytest.mark.parametrize("longest", [1, 5, LOOK_BACK, 40])
def test_grounds_are_the_items_with_the_largest_terms(engine: Engine, t: Tables, longest: int) -> None:
    asked = users(t, 20, longest)
    made = lists(engine, t, asked)
    for index, user in enumerate(asked):
        scaled, mine = scaled_terms(user, t), had(user)[:LOOK_BACK]
        for row, scorer, grounds in zip(made.rows[index], made.scorers[index], made.grounds[index], strict=False):
            named = [ground for ground in grounds.tolist() if ground != NONE]
            if scorer >= SUMS:
                assert named == []  # what everybody does has no ground in what he did
                continue
            of_items: dict[int, float] = {}
            for item, term in zip(mine, scaled[scorer, :, row], strict=False):
                if item != NONE:
                    of_items[item] = max(term, of_items.get(item, 0.0))
            best = sorted((term for term in of_items.values() if term > 1e-5), reverse=True)[:GROUNDS]
            assert [of_items[item] for item in named][: len(best)] == pytest.approx(best, abs=CLOSE)
            assert all(of_items[item] < CLOSE for item in named[len(best) :])
            assert len(set(named)) == len(named)  # an item had twice is one ground


def test_grounds_are_items_that_the_user_had(engine: Engine, t: Tables) -> None:
    asked = users(t, 20, 40)
    made = lists(engine, t, asked)
    for user, grounds in zip(asked, made.grounds, strict=True):
        assert set(grounds.ravel().tolist()) <= {NONE, *had(user)}


def test_who_had_nothing_has_no_grounds(engine: Engine, t: Tables) -> None:
    made = lists(engine, t, [reference.user([])])
    assert (made.grounds == NONE).all()
    assert (made.scorers != NONE).all()


def test_one_user_leaves_nothing_to_the_next(engine: Engine, t: Tables) -> None:
    asked = users(t, 12, 10)
    made = lists(engine, t, asked)
    for index, user in enumerate(asked):
        alone = lists(engine, t, [user])
        assert made.scorers[index].tolist() == alone.scorers[0].tolist()
        assert made.grounds[index].tolist() == alone.grounds[0].tolist()
