"""Metrics are ranx's to 1e-9, and the rest are those computed by hand or by brute force."""

from __future__ import annotations

import itertools
import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from evaluation import breadth, intervals, metrics, series
from evaluation.metrics import RANKED, Judged, judge, of_ranks
from evaluation.prequential import Prequential

REFEREE = json.loads((Path(__file__).parents[1] / "golden" / "ranx.json").read_text())
CLICKS = json.loads((Path(__file__).parents[1] / "golden" / "sklearn.json").read_text())["cases"]
DAY_MS = 24 * 3600 * 1000


def judged(case: dict[str, Any]) -> Judged:
    return judge(case["lists"], [dict(map(tuple, pairs)) for pairs in case["relevance"]], case["k"])


@pytest.mark.parametrize("case", REFEREE["cases"], ids=lambda case: f"k={case['k']}")
@pytest.mark.parametrize("name", REFEREE["cases"][0]["figures"])
def test_metrics_of_lists_are_those_of_ranx(case: dict[str, Any], name: str) -> None:
    np.testing.assert_allclose(getattr(metrics, name)(judged(case)), case["figures"][name], rtol=0, atol=1e-9)


def test_the_referee_saw_ties_empty_lists_depths_beyond_the_list_and_nothing_relevant() -> None:
    cases = REFEREE["cases"]
    assert any(len(set(scores)) < len(scores) for case in cases for scores in case["scores"])
    assert any(not items for case in cases for items in case["lists"])
    assert any(case["k"] > max(map(len, case["lists"])) for case in cases)
    assert any(not relevant for case in cases for relevant in case["relevance"])


@pytest.mark.parametrize("k", [1, 5, 10])
def test_a_single_rank_gives_what_a_list_with_one_relevant_item_gives(k: int) -> None:
    lists = [list(range(20))] * 20
    found = judge(lists, [{item: 1.0} for item in range(20)], k)
    whole = judge(lists, [{item: 1.0} for item in range(20)], 20)
    by_rank = dict(zip(RANKED, of_ranks(np.arange(1.0, 21.0), k).T, strict=True))
    expected = {
        "hr": metrics.hit_rate(found),
        "recall": metrics.recall(found),
        "precision": metrics.precision(found),
        "f1": metrics.f1(found),
        "ndcg": metrics.ndcg(found),
        "map": metrics.average_precision(found),
        "mrr": metrics.reciprocal_rank(whole),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(by_rank[name], values, rtol=0, atol=1e-12)


def test_the_evaluator_and_the_live_worker_count_alike() -> None:
    ranks = np.array([1.0, 2.5, 10.0, 10.5, 300.0])
    live = Prequential(10)
    live.add(ranks)
    means = dict(zip(RANKED, of_ranks(ranks, 10).mean(axis=0), strict=True))
    assert (means["hr"], means["ndcg"], means["mrr"]) == pytest.approx((live.hit_rate, live.ndcg, live.mrr))


def test_errors_of_ratings_are_those_computed_by_hand() -> None:
    predicted, actual = np.array([1.0, 2.0, 5.0]), np.array([2.0, 2.0, 3.0])
    assert metrics.rmse(predicted, actual) == pytest.approx(math.sqrt(5 / 3))
    assert metrics.mae(predicted, actual) == pytest.approx(1.0)


@pytest.mark.parametrize("seed", range(5))
def test_auc_is_the_share_of_pairs_in_the_right_order_ties_half(seed: int) -> None:
    draw = np.random.default_rng(seed)
    probability, clicked = draw.integers(0, 5, 40) / 5, draw.random(40) < 0.3
    pairs = itertools.product(probability[clicked], probability[~clicked])
    right = [1.0 if a > b else 0.5 if a == b else 0.0 for a, b in pairs]
    assert metrics.auc(probability, clicked) == pytest.approx(np.mean(right), abs=1e-12)


@pytest.mark.parametrize("case", CLICKS, ids=lambda case: f"{sum(case['clicked'])} clicks")
def test_metrics_of_clicks_are_those_of_scikit_learn(case: dict[str, Any]) -> None:
    probability, clicked = np.array(case["probability"]), np.array(case["clicked"])
    assert metrics.auc(probability, clicked) == pytest.approx(case["auc"], abs=1e-12)
    assert metrics.log_loss(probability, clicked) == pytest.approx(case["log_loss"], abs=1e-12)


def test_auc_of_one_class_is_undefined_and_not_an_error() -> None:
    assert math.isnan(metrics.auc(np.array([0.1, 0.2]), np.array([True, True])))


def test_log_loss_is_that_computed_by_hand_and_finite_for_sure_mistakes() -> None:
    loss = metrics.log_loss(np.array([0.25, 0.5]), np.array([True, False]))
    assert loss == pytest.approx((math.log(4) + math.log(2)) / 2)
    assert math.isfinite(metrics.log_loss(np.array([0.0, 1.0]), np.array([True, False])))


LISTS = np.array([[0, 1], [0, 2], [0, -1]], np.int32)


def test_breadth_is_that_computed_by_hand() -> None:
    known = np.array([True, True, True, True, False])
    exposed = breadth.exposures(LISTS, 5)
    assert exposed.tolist() == [3, 1, 1, 0, 0]
    assert breadth.coverage(exposed, known) == 3 / 4
    assert breadth.gini(exposed, known) == pytest.approx((-3 * 0 - 1 * 1 + 1 * 1 + 3 * 3) / (4 * 5))
    bits = [1.0, 2.0, 3.0]  # of items with 8, 4 and 2 of 16 events
    events = np.array([8, 4, 2, 2, 0])
    assert breadth.novelty(exposed, events) == pytest.approx((3 * bits[0] + bits[1] + bits[2]) / 5)


def test_gini_is_0_when_all_are_shown_alike_and_goes_to_1_when_one_has_all() -> None:
    known = np.ones(1000, np.bool_)
    assert breadth.gini(np.full(1000, 7.0), known) == pytest.approx(0.0)
    assert breadth.gini(np.eye(1, 1000)[0], known) == pytest.approx(0.999)


def test_distance_within_a_list_is_the_mean_over_pairs_and_short_lists_have_none() -> None:
    draw = np.random.default_rng(0)
    vectors = draw.normal(size=(30, 8)).astype(np.float32)
    lists = np.array([draw.permutation(30)[:5] for _ in range(6)], np.int32)
    lists[1, 3:] = -1
    lists[2, 1:] = -1
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    distances = []
    for items in (row[row >= 0] for row in lists):
        pairs = [1 - unit[a] @ unit[b] for a, b in itertools.combinations(items, 2)]
        if pairs:
            distances.append(np.mean(pairs))
    assert breadth.intra_list_distance(lists, vectors) == pytest.approx(np.mean(distances), abs=1e-6)
    assert breadth.intra_list_distance(lists[2:3], vectors) == 0.0


def test_calibration_is_0_for_lists_of_the_users_own_taste_and_kullback_and_leiblers_otherwise() -> None:
    categories = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    lists = np.array([[0, 1]], np.int32)
    assert breadth.calibration(lists, categories, np.array([[3.0, 3.0]])) == pytest.approx(0.0)
    p, q = np.array([0.75, 0.25]), 0.99 * np.array([0.5, 0.5]) + 0.01 * np.array([0.75, 0.25])
    assert breadth.calibration(lists, categories, np.array([[6.0, 2.0]])) == pytest.approx((p * np.log(p / q)).sum())


def test_lists_and_users_without_categories_do_not_count() -> None:
    categories = np.array([[1.0, 0.0], [0.0, 0.0]])
    lists = np.array([[0, -1], [1, -1], [0, 1]], np.int32)
    taste = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 0.0]])
    assert breadth.calibration(lists, categories, taste) == pytest.approx(0.0)
    assert breadth.calibration(lists[1:], categories, taste[1:]) == 0.0


def test_days_are_means_of_their_events() -> None:
    time = np.array([0, 5, DAY_MS, 3 * DAY_MS - 1])
    found = series.by_day(time, np.array([[1.0], [0.0], [1.0], [0.0]]))
    assert found["day"] == ["1970-01-01", "1970-01-02", "1970-01-03"]
    assert found["events"] == [2, 1, 1]
    assert found["values"].ravel().tolist() == [0.5, 1.0, 0.0]


def test_a_window_slides_over_the_last_events_and_ends_at_the_last() -> None:
    values = np.arange(10.0)[:, None]
    found = series.sliding(np.arange(100, 110), np.arange(10), values, window=4)
    assert found["event"] == list(range(103, 110))
    assert found["values"].ravel().tolist() == [1.5 + step for step in range(7)]


def test_a_window_longer_than_the_stream_is_the_whole_and_an_empty_stream_has_no_points() -> None:
    assert series.sliding(np.arange(3), np.arange(3), np.ones((3, 1)), window=10)["window"] == 3
    empty = np.zeros(0, np.int64)
    assert series.sliding(empty, empty, np.zeros((0, 2)), None)["event"] == []


def test_resampling_draws_whole_users() -> None:
    user, values = np.array([7, 7, 7, 9]), np.array([[1.0], [1.0], [1.0], [0.0]])
    means = intervals.resampled(user, values, samples=400)
    # Both users once; one of them twice.
    assert set(np.unique(means)) == {0.0, 0.75, 1.0}


def test_the_interval_is_that_of_theory_where_users_are_independent() -> None:
    draw = np.random.default_rng(1)
    values = (draw.random(4000) < 0.3).astype(np.float64)
    low, high = intervals.interval(intervals.resampled(np.arange(4000), values[:, None])[:, 0])
    half = 1.96 * math.sqrt(values.var() / 4000)
    assert (values.mean() - low, high - values.mean()) == pytest.approx((half, half), rel=0.15)


def test_differences_are_paired() -> None:
    draw = np.random.default_rng(2)
    hard = draw.random(3000)  # how hard an event is, for both models alike
    values = np.column_stack([(hard < 0.31), (hard < 0.3)]).astype(np.float64)
    samples = intervals.resampled(np.arange(3000), values)
    found = intervals.difference(*values.mean(axis=0), samples[:, 0], samples[:, 1])
    assert found.absolute == pytest.approx(values[:, 0].mean() - values[:, 1].mean())
    assert found.interval[0] > 0
    assert found.p < 0.01
    assert intervals.interval(samples[:, 0])[0] < values[:, 1].mean()  # alone they cannot be told apart


def test_a_model_does_not_differ_from_itself() -> None:
    samples = intervals.resampled(np.arange(50), np.random.default_rng(3).random((50, 1)))[:, 0]
    found = intervals.difference(0.5, 0.5, samples, samples)
    assert (found.absolute, found.relative, found.interval, found.p) == (0.0, 0.0, (0.0, 0.0), 1.0)


def test_the_same_seed_gives_the_same_samples() -> None:
    user, values = np.arange(100) % 9, np.random.default_rng(4).random((100, 3))
    assert np.array_equal(intervals.resampled(user, values, seed=5), intervals.resampled(user, values, seed=5))
    assert not np.array_equal(intervals.resampled(user, values, seed=5), intervals.resampled(user, values, seed=6))


def test_without_events_there_is_no_interval_and_no_error() -> None:
    assert np.isnan(intervals.resampled(np.zeros(0, np.int64), np.zeros((0, 2)))).all()
