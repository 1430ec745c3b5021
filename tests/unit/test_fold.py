"""The fold learns event by event: each choice is judged by what was known just before it, as its user was served."""

from __future__ import annotations

import numpy as np
import pytest
from workload import WISHES, events, observe

from contracts.events import Rating
from models.combiner import HIT_DEPTH, WATCHED, is_due
from models.engine import Engine, Observation
from models.scorers.embeddings import ENOUGH_KNOWN


def teaches(model: Engine, observation: Observation) -> bool:
    """Return whether the one event of an observation is to teach the combiner, by the words of the docstrings."""
    items, lessons = model.items, observation.lessons
    if not len(lessons) or lessons.had[0] < 0 or items.catalogue.n_known <= ENOUGH_KNOWN:
        return False
    row = items.catalogue.row(lessons.items[0])
    context = np.int8(model.views.before(observation, np.zeros(1, np.int64)).context[0])
    known = row >= 0 and items.catalogue.events[row] > 0
    return bool(known and is_due(context, items.events, items.catalogue.n_known, np.uint64(0), items.combiner.arrays()))


@pytest.mark.parametrize("repeats", [False, True], ids=["no repeats", "repeats"])
def test_the_blend_that_learns_is_the_blend_that_served(repeats: bool) -> None:
    model = Engine(resident_users=100, allow_repeats=repeats)
    stream = events(900, users=15, items=150, types=WISHES)
    taught = hits = 0
    for offset, event in enumerate(stream):
        observation = observe(model, [event], offset)
        ranks = model.rank(observation)
        expected = teaches(model, observation)
        counts = model.items.combiner.ranked[0], model.items.combiner.hits[0, -1]
        model.learn(observation.lessons, offset)
        if expected:
            taught += 1
            hits += ranks.blend[0] - 1.0 < HIT_DEPTH
        if model.items.combiner.ranked[0] and counts[0]:
            assert model.items.combiner.hits[0, -1] - counts[1] == (expected and ranks.blend[0] - 1.0 < HIT_DEPTH)
        assert model.items.combiner.taught.sum() == taught
    assert taught > 50
    assert 0 < hits < taught


def test_what_a_user_had_is_given_back_after_each_choice() -> None:
    model = Engine(resident_users=100)
    stream = events(600, types=WISHES)
    model.learn(observe(model, stream).lessons, 0)
    assert np.array_equal(model.items.tables().known, model.items.catalogue.events[: len(model.items.catalogue)] > 0)
    assert model.items.combiner.taught.sum() > 0
    assert model.items.catalogue.n_known == (model.items.catalogue.events > 0).sum()


def test_hit_rates_are_watched_a_few_dozen_rankings_at_a_time() -> None:
    model = Engine(resident_users=100)
    stream = events(4000, users=60, items=150, types=WISHES)
    model.learn(observe(model, stream).lessons, 0)
    taught = int(model.items.combiner.taught.sum())
    assert taught > 5 * WATCHED
    assert model.items.combiner.ranked[0] == taught % WATCHED
    assert (model.items.drift.rates > 0.0).any()


@pytest.mark.parametrize(("slope", "factors"), [(0.0, (1.0, 1.0)), (0.5, (0.3, 1.7)), (2.0, (0.1, 3.8))])
def test_a_rating_above_the_mean_teaches_more_by_the_slope(slope: float, factors: tuple[float, float]) -> None:
    model = Engine(resident_users=1000, rating_slope=slope)
    usual = [Rating(f"u{n}", f"i{n % 5}", float(1 + n % 5), n) for n in range(100)]  # 3 on average, deviation √2
    model.learn(observe(model, usual).lessons, 0)
    counts = model.items.popularity.counts
    for offset, (rating, factor) in enumerate(zip((1.0, 5.0), factors, strict=True), 100):
        before = counts[:, 0].sum() * 0.5 ** model.items.popularity.ages[0]
        model.learn(observe(model, [Rating("v", f"x{rating}", rating, 100)], offset).lessons, offset)
        after = counts[:, 0].sum() * 0.5 ** model.items.popularity.ages[0]
        expected = max(0.1, 1.0 + slope * (rating - 3.0) / np.sqrt(2.0)) if slope else 1.0
        assert after - before * 0.5 ** (1 / 5000) == pytest.approx(expected, rel=0.05)
        assert expected == pytest.approx(factor, abs=0.05)
