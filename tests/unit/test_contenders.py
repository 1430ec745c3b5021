"""What competes beside the engine says what its formula says, however the events were cut."""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from river import optim, reco

from evaluation.contenders import MODELS, OTHERS, RIVER, Contender, Learned, Moment, contender, cosine, neighbours
from models.profiles import Profiles

USERS, ITEMS = 40, 30
Row = tuple[int, int]


def events(n: int, seed: int = 0) -> list[Row]:
    """Return user and item of each event, some items far more frequent than others."""
    draw = np.random.default_rng(seed)
    return [(int(draw.integers(USERS)), int(ITEMS * draw.random() ** 2)) for _ in range(n)]


def learned(name: str, stream: list[Row], size: int = 7, ratings: Any = None) -> Any:
    """Return a contender that has learned a stream in batches."""
    made: Contender = contender(name, 5)
    for first in range(0, len(stream), size):
        users, rows = np.array(stream[first : first + size], np.int32).T
        given = np.full(len(rows), np.nan) if ratings is None else ratings[first : first + size]
        made.learn(Learned(first, rows, users, np.arange(first, first + len(rows)), given))
    return made


def moment(user: int, recent: list[int]) -> Any:
    """Return what the contenders here look at: a user, his items and how many there are."""
    history = np.full(50, -1, np.int32)
    history[: len(recent)] = recent
    nothing: Any = None
    profile = Profiles(history[None], nothing, nothing, nothing)
    return Moment(0, user, 0, nothing, nothing, profile, np.ones(ITEMS, np.bool_), 0)


def had(stream: list[Row]) -> dict[int, list[int]]:
    found: dict[int, list[int]] = defaultdict(list)
    for user, item in stream:
        found[user].append(item)
    return found


@pytest.mark.parametrize("size", [1, 7, 500])
def test_pairs_counted_online_are_those_counted_at_the_end(size: int) -> None:
    stream = events(1500)
    online = learned("item-cosine", stream, size)
    pairs: Counter[Row] = Counter()
    for items in had(stream).values():
        pairs.update(combinations(sorted(set(items)), 2))
    expected: dict[int, dict[int, int]] = {row: {} for row in range(ITEMS)}
    for (one, two), count in pairs.items():
        expected[one][two] = expected[two][one] = count
    assert {row: online.counts(row) for row in range(ITEMS)} == expected


def test_cosines_are_those_of_the_matrix_of_users_and_items() -> None:
    stream = events(600)
    matrix = np.zeros((USERS, ITEMS))
    for user, item in stream:
        matrix[user, item] = 1.0
    unit = matrix / np.maximum(np.linalg.norm(matrix, axis=0), 1e-12)
    cosines = unit.T @ unit
    np.fill_diagonal(cosines, 0.0)
    recent = [4, 1, 19]
    expected = sum(cosine.DECAY**k * cosines[h] for k, h in enumerate(recent))
    np.testing.assert_allclose(learned("item-cosine", stream).score(moment(3, recent)), expected, rtol=0, atol=1e-6)


def test_the_pool_of_pairs_grows_and_loses_none() -> None:
    # Two people with 400 items each, half of them shared: 400 tables that grow time and again.
    stream = [(user, item) for user in (0, 1) for item in range(200 * user, 200 * user + 400)]
    online = learned("item-cosine", stream, 50)
    assert online.counts(300) == {item: 1 + (item >= 200 and item < 400) for item in range(600) if item != 300}


def test_neighbours_vote_for_what_stood_near_the_newest_shared_item() -> None:
    stream = events(400, seed=1)
    recent, own = [2, 9, 5], 7
    histories = had(stream)
    count = Counter(item for _, item in stream)
    votes = np.zeros(ITEMS)
    for user, items in histories.items():
        if user == own:
            continue
        # Someone who had a shared item several times is counted as often.
        weights = [neighbours.DECAY**k * np.log(1 + len(stream) / count[h]) for k, h in enumerate(recent)]
        overlap = sum(weight * items.count(h) for weight, h in zip(weights, recent, strict=True))
        at = next((items.index(h) for h in recent if h in items), None)
        if at is not None:
            for place in range(max(at - neighbours.REACH, 0), min(at + neighbours.REACH + 1, len(items))):
                votes[items[place]] += overlap * neighbours.DECAY ** abs(place - at)
    found = learned("session-knn", stream).score(moment(own, recent))
    np.testing.assert_allclose(found, votes, rtol=1e-5)


def test_asking_the_neighbours_changes_nothing() -> None:
    made = learned("session-knn", events(300))
    one = made.score(moment(1, [3, 4])).copy()
    made.score(moment(2, [8]))
    assert np.array_equal(made.score(moment(1, [3, 4])), one)


@pytest.mark.parametrize("name", RIVER)
def test_river_scores_from_tables_as_it_predicts_item_by_item(name: str) -> None:
    stream, ratings = events(500), np.random.default_rng(3).integers(1, 6, 500).astype(np.float64)
    made = learned(name, stream, ratings=ratings)
    start = optim.initializers.Normal(mu=0.0, sigma=0.1, seed=5)
    own = {
        "river:Baseline": reco.Baseline(optimizer=optim.SGD(0.025)),
        "river:BiasedMF": reco.BiasedMF(10, optim.SGD(0.025), optim.SGD(0.05), latent_initializer=start),
        "river:FunkMF": reco.FunkMF(10, optim.SGD(0.05), l2=0.1, initializer=start),
    }[name]
    for (user, item), rating in zip(stream, ratings.tolist(), strict=True):
        own.learn_one(user=user, item=item, y=rating)
    user, rows = stream[-1][0], sorted({item for _, item in stream})
    predicted = np.array([own.predict_one(user=user, item=row) for row in rows])
    scores = made.score(moment(user, []))[rows]
    np.testing.assert_allclose(scores - scores[0], predicted - predicted[0], atol=1e-9)


def test_a_user_whom_river_does_not_know_gets_the_items_own_terms() -> None:
    made = learned("river:BiasedMF", events(100))
    assert np.isfinite(made.score(moment(USERS + 1, []))).all()


def test_every_name_makes_a_contender() -> None:
    for name in (*MODELS, *OTHERS):
        assert contender(name, 0)
