"""Lists are exactly the best candidates in order, and ranks exactly the positions that scores give."""

from __future__ import annotations

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from workload import events, introduce, learned

from contracts.learning import HISTORY
from models.combine import EXCLUDED, Tables
from models.engine import Engine
from models.policy import NO_POLICY, Rules
from models.ranking import CHUNK, NONE, Lists, Ragged, _select, ranks, top

CLOSE = 1e-4


@pytest.fixture(scope="module")
def engine() -> Engine:
    """A small model; its last three items were introduced and are not known."""
    engine = learned(events(1500))
    introduce(engine.items, ["new 1", "new 2", "new 3"])
    return engine


@pytest.fixture(scope="module")
def t(engine: Engine) -> Tables:
    return engine.items.tables()


class Users:
    """Random users over a model's rows."""

    def __init__(self, engine: Engine, b: int, seed: int = 0, rows: int | None = None) -> None:
        draw = np.random.default_rng(seed)
        n = rows or len(engine.items.catalogue)
        self.recent = np.full((b, HISTORY), NONE, np.int32)
        self.mine: list[list[int]] = []
        for user in range(b):
            history = draw.integers(-1, n, draw.integers(0, 30))
            self.recent[user, : len(history)] = history[:HISTORY]
            self.mine.append([*history.tolist(), *draw.integers(-1, n, 5).tolist()])
        self.vectors = engine.items.embeddings.users(self.recent)

    @property
    def seen(self) -> Ragged:
        lengths = np.array([len(mine) for mine in self.mine], np.int64)
        values = np.array([row for mine in self.mine for row in mine], np.int32)
        return Ragged(values, np.cumsum(lengths) - lengths, lengths)

    def scores(self, user: int, t: Tables) -> np.ndarray:
        """Return the scores that the user's items have by the formula."""
        return reference.blend(self.recent[user].tolist(), reference.candidates(t, self.mine[user]), t).scores


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
    return top(users.vectors, users.recent, users.seen, withheld, t, unruled(t, len(users.vectors)), n, 5)


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
    users.recent[:] = NONE
    users.vectors[:] = 0.0
    users.mine = [[], []]
    assert np.isfinite(lists(users, t, 100).scores).all()
    empty = Engine(resident_users=10)
    assert (lists(Users(empty, 2, rows=1), empty.items.tables(), 5).rows == NONE).all()
    assert lists(Users(engine, 0), t, 5).rows.shape == (0, 5)


def test_items_that_are_alike_stand_in_the_order_of_their_rows() -> None:
    engine = Engine(resident_users=10)
    rows = introduce(engine.items, [str(index) for index in range(300)])
    engine.items.catalogue.count(rows)
    embeddings = engine.items.embeddings
    embeddings.outputs[:300] = embeddings.outputs[np.arange(300) % 4]
    made = lists(Users(engine, 8, rows=300), engine.items.tables(), 100)
    for row, scores in zip(made.rows, made.scores, strict=True):
        expected = np.lexsort((row, -scores))
        assert np.array_equal(expected, np.arange(100))


def test_reasons_may_be_asked_for_more_items_than_there_are(engine: Engine, t: Tables) -> None:
    users = Users(engine, 2)
    made = top(users.vectors, users.recent, users.seen, np.zeros(len(t.known), np.bool_), t, unruled(t, 2), 3, 8)
    assert (made.scorers[:, 3:] == NONE).all()
    assert (made.scorers[:, :3] != NONE).all()


@given(st.lists(st.integers(-6, 6) | st.none(), max_size=300), st.integers(0, 120))
def test_selection_equals_a_stable_sort(values: list[int | None], n: int) -> None:
    scores = np.array([EXCLUDED if value is None else value for value in values], np.float32)
    expected = [row for row in np.argsort(-scores, kind="stable").tolist() if values[row] is not None][:n]
    rows, best = np.full(n, NONE, np.int32), np.zeros(n, np.float32)
    assert _select(scores, rows, best) == len(expected)
    assert rows.tolist() == expected + [NONE] * (n - len(expected))
    assert best[: len(expected)].tolist() == scores[expected].tolist()


@given(st.lists(st.floats(-(2.0**99), 2.0**99, width=32), max_size=200), st.integers(1, 50))
def test_selection_takes_any_finite_scores(values: list[float], n: int) -> None:
    scores = np.array(values, np.float32)
    rows, best = np.full(n, NONE, np.int32), np.zeros(n, np.float32)
    length = _select(scores, rows, best)
    assert length == min(n, len(values))
    assert rows[:length].tolist() == np.argsort(-scores, kind="stable")[:n].tolist()


def test_ranks_are_the_positions_among_the_candidates(engine: Engine, t: Tables) -> None:
    users = Users(engine, CHUNK + 6, seed=2)
    draw = np.random.default_rng(3)
    candidates = [reference.candidates(t, mine) for mine in users.mine]
    targets = np.array([draw.choice(np.flatnonzero(candidate)) for candidate in candidates], np.int32)
    popularity = draw.integers(0, 6, len(t.known)).astype(np.float64)
    by_blend, by_popularity = ranks(users.vectors, users.recent, users.seen, targets, popularity, t)
    for user, (target, candidate) in enumerate(zip(targets, candidates, strict=True)):
        assert by_popularity[user] == reference.mean_rank(popularity, target, candidate)
        assert by_blend[user] == reference.mean_rank(users.scores(user, t), target, candidate, tolerance=1e-6)


def test_ties_are_at_their_mean_rank() -> None:
    engine = Engine(resident_users=10)
    rows = introduce(engine.items, [str(index) for index in range(9)])
    engine.items.catalogue.count(rows[:8])
    engine.items.embeddings.outputs[:9] = engine.items.embeddings.outputs[0]
    engine.items.embeddings.biases[:9] = [3, 2, 2, 2, 1, 1, 0, 0, 9]
    users = Users(engine, 8)
    users.recent[:], users.vectors[:] = NONE, 0.0
    users.mine = [[0], [], [], [7], [], [1, 2], [], []]
    by_blend, _ = ranks(
        users.vectors, users.recent, users.seen, np.arange(8, dtype=np.int32), np.zeros(8), engine.items.tables()
    )
    assert by_blend.tolist() == [1.0, 3.0, 3.0, 3.0, 5.5, 3.5, 7.5, 7.5]
