"""Lists are exactly the best candidates in order, and ranks exactly the positions that scores give."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from workload import events, introduce, know, learned

from models.combine import SCORERS, Tables
from models.engine import Engine
from models.policy import NO_POLICY, Rules
from models.ranking import CHUNK, Lists, Ragged, place, ranks, top
from models.selection import EXCLUDED, NONE

CLOSE = 1e-4


@pytest.fixture(scope="module")
def engine() -> Engine:
    """A small model; its last three items were introduced and are not known."""
    engine = learned(events(1500))
    introduce(engine.items, ["new 1", "new 2", "new 3"])
    return engine


@pytest.fixture(scope="module")
def t(engine: Engine) -> Tables:
    """Its tables with other weights in each context."""
    weights = np.random.default_rng(0).normal(0.3, 0.5, (3, len(SCORERS))).astype(np.float32)
    return engine.items.tables()._replace(weights=weights)


class Users:
    """Random users over a model's rows."""

    def __init__(self, engine: Engine, b: int, seed: int = 0, rows: int | None = None) -> None:
        draw = np.random.default_rng(seed)
        n = rows or len(engine.items.catalogue)
        self.each = [reference.random_user(draw, n, 30) for _ in range(b)]
        self.mine = [
            [*np.maximum(user.recent, user.judged)[0].tolist(), *draw.integers(-1, n, 5)] for user in self.each
        ]
        self.profiles = reference.together(self.each) if b else reference.nobody()
        self.vectors = engine.items.embeddings.users(self.profiles.recent)

    @property
    def seen(self) -> Ragged:
        lengths = np.array([len(mine) for mine in self.mine], np.int64)
        values = np.array([row for mine in self.mine for row in mine], np.int32)
        return Ragged(values, np.cumsum(lengths) - lengths, lengths)

    def scores(self, user: int, t: Tables) -> np.ndarray:
        """Return the scores that the user's items have by the formula."""
        return reference.blend(self.each[user], reference.candidates(t, self.mine[user]), t).scores


def unruled(t: Tables, b: int) -> Rules:
    """Return the rules of no policy."""
    rows = len(t.known)
    return NO_POLICY.rules(
        np.full((2, rows), NONE, np.int32), np.zeros(rows, np.int64), np.zeros(rows, np.bool_), np.zeros(b, np.uint64)
    )


def lists(users: Users, t: Tables, n: int, withheld: np.ndarray | None = None) -> Lists:
    """Return the users' lists."""
    if withheld is None:
        withheld = np.zeros(len(t.known), np.bool_)
    return top(users.vectors, users.profiles, users.seen, withheld, t, unruled(t, len(users.vectors)), n, 5)


@pytest.mark.parametrize("n", [1, 3, 10, 40, 100])
def test_lists_are_the_best_candidates_best_first(engine: Engine, t: Tables, n: int) -> None:
    users = Users(engine, CHUNK + 6)
    withheld = np.random.default_rng(1).random(len(t.known)) < 0.1
    made = lists(users, t, n, withheld)
    for user, mine in enumerate(users.mine):
        scores = users.scores(user, t)
        allowed = ~withheld
        allowed[[row for row in mine if row >= 0]] = False
        length = min(n, int(allowed.sum()))
        rows = made.rows[user, :length]
        assert (made.rows[user, length:] == NONE).all()
        assert len(set(rows.tolist())) == length
        assert allowed[rows].all()
        np.testing.assert_allclose(made.scores[user, :length], scores[rows], rtol=CLOSE, atol=CLOSE)
        assert (np.diff(made.scores[user, :length]) <= 0).all()
        left = allowed.copy()
        left[rows] = False
        assert not left.any() or scores[left].max() <= scores[rows[-1]] + CLOSE


def test_a_user_who_had_everything_gets_an_empty_list(engine: Engine, t: Tables) -> None:
    users = Users(engine, 3)
    users.mine[1] = list(range(len(t.known)))
    made = lists(users, t, 10)
    assert (made.rows[1] == NONE).all()
    assert (made.scorers[1] == NONE).all()
    assert (made.rows[[0, 2]] != NONE).all()


def test_withheld_items_are_on_no_list(engine: Engine, t: Tables) -> None:
    users = Users(engine, 20)
    withheld = np.random.default_rng(0).random(len(t.known)) < 0.5
    assert not np.isin(np.flatnonzero(withheld), lists(users, t, 100, withheld).rows).any()
    assert (lists(users, t, 10, np.ones_like(withheld)).rows == NONE).all()


def test_introduced_items_are_listed_before_anybody_chose_them(engine: Engine, t: Tables) -> None:
    made = lists(Users(engine, 5, rows=50), t, len(t.known))
    assert all(set(np.flatnonzero(~t.known)) <= set(rows) for rows in made.rows.tolist())


def test_scores_are_finite_without_history_items_or_users(engine: Engine, t: Tables) -> None:
    users = Users(engine, 2)
    users.profiles, users.mine = reference.together([reference.user([])] * 2), [[], []]
    users.vectors[:] = 0.0
    assert np.isfinite(lists(users, t, 100).scores).all()
    empty = Engine(resident_users=10)
    assert (lists(Users(empty, 2, rows=1), empty.items.tables(), 5).rows == NONE).all()
    assert lists(Users(engine, 0), t, 5).rows.shape == (0, 5)


def test_items_that_are_alike_stand_in_the_order_of_their_rows() -> None:
    engine = Engine(resident_users=10)
    rows = introduce(engine.items, [str(index) for index in range(300)])
    know(engine.items.catalogue, rows)
    embeddings = engine.items.embeddings
    embeddings.outputs[:300] = embeddings.outputs[np.arange(300) % 4]
    made = lists(Users(engine, 8, rows=300), engine.items.tables(), 100)
    for row, scores in zip(made.rows, made.scores, strict=True):
        expected = np.lexsort((row, -scores))
        assert np.array_equal(expected, np.arange(100))


def test_reasons_may_be_asked_for_more_items_than_there_are(engine: Engine, t: Tables) -> None:
    users = Users(engine, 2)
    made = top(users.vectors, users.profiles, users.seen, np.zeros(len(t.known), np.bool_), t, unruled(t, 2), 3, 8)
    assert (made.scorers[:, 3:] == NONE).all()
    assert (made.scorers[:, :3] != NONE).all()


def test_ranks_are_the_positions_among_the_candidates(engine: Engine, t: Tables) -> None:
    users = Users(engine, CHUNK + 6, seed=2)
    draw = np.random.default_rng(3)
    candidates = [reference.candidates(t, mine) for mine in users.mine]
    targets = np.array([draw.choice(np.flatnonzero(candidate)) for candidate in candidates], np.int32)
    popularity = draw.integers(0, 6, len(t.known)).astype(np.float64)
    by_blend, by_popularity = ranks(users.vectors, users.profiles, users.seen, targets, popularity, t)
    for user, (target, candidate) in enumerate(zip(targets, candidates, strict=True)):
        assert by_popularity[user] == reference.mean_rank(popularity, target, candidate)
        assert by_blend[user] == reference.mean_rank(users.scores(user, t), target, candidate, tolerance=1e-6)


def test_ties_are_at_their_mean_rank() -> None:
    engine = Engine(resident_users=10)
    rows = introduce(engine.items, [str(index) for index in range(9)])
    know(engine.items.catalogue, rows[:8])
    engine.items.embeddings.outputs[:9] = engine.items.embeddings.outputs[0]
    engine.items.embeddings.biases[:9] = [3, 2, 2, 2, 1, 1, 0, 0, 9]
    users = Users(engine, 8)
    users.profiles, users.vectors[:] = reference.together([reference.user([])] * 8), 0.0
    users.mine = [[0], [], [], [7], [], [1, 2], [], []]
    by_blend, _ = ranks(
        users.vectors, users.profiles, users.seen, np.arange(8, dtype=np.int32), np.zeros(8), engine.items.tables()
    )
    assert by_blend.tolist() == [1.0, 3.0, 3.0, 3.0, 5.5, 3.5, 7.5, 7.5]


def test_places_are_ranks_and_the_best_rows_under_any_scores() -> None:
    draw = np.random.default_rng(0)
    scores, candidate = draw.integers(0, 9, 40).astype(np.float32), draw.random(40) < 0.7
    expected = reference.mean_rank(scores, 3, candidate)
    best = np.argsort(-np.where(candidate, scores, EXCLUDED), kind="stable")[: candidate.sum()]
    rows = np.zeros(50, np.int32)
    assert place(scores, candidate, 3, rows) == expected
    assert rows.tolist() == best.tolist() + [NONE] * (50 - len(best))
