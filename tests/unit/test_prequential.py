"""Metrics by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from evaluation.prequential import Prequential

RANKS = [1.0, 3.0, 10.0, 10.5, 100.0]
NDCG = (1 / math.log2(2) + 1 / math.log2(4) + 1 / math.log2(11)) / 5
MRR = (1 + 1 / 3 + 1 / 10 + 1 / 10.5 + 1 / 100) / 5


def test_metrics_are_those_computed_by_hand() -> None:
    quality = Prequential()
    quality.add(np.array(RANKS))
    assert quality.scored == 5
    assert quality.hit_rate == 3 / 5
    assert quality.ndcg == pytest.approx(NDCG, abs=1e-12)
    assert quality.mrr == pytest.approx(MRR, abs=1e-12)


def test_batches_do_not_matter() -> None:
    quality = Prequential()
    for rank in RANKS:
        quality.add(np.array([rank]))
        quality.add(np.zeros(0))
    assert (quality.scored, quality.hit_rate) == (5, 3 / 5)
    assert quality.ndcg == pytest.approx(NDCG, abs=1e-12)
    assert quality.mrr == pytest.approx(MRR, abs=1e-12)


@pytest.mark.parametrize(("k", "hit_rate", "ndcg"), [(1, 0.2, 0.2), (3, 0.4, 0.3), (100, 1.0, None)])
def test_depth(k: int, hit_rate: float, ndcg: float | None) -> None:
    quality = Prequential(k)
    quality.add(np.array(RANKS))
    assert quality.hit_rate == hit_rate
    expected = sum(1 / math.log2(rank + 1) for rank in RANKS) / 5 if ndcg is None else ndcg
    assert quality.ndcg == pytest.approx(expected, abs=1e-12)


def test_a_perfect_ranking_scores_one() -> None:
    quality = Prequential()
    quality.add(np.ones(7))
    assert (quality.hit_rate, quality.ndcg, quality.mrr) == (1.0, 1.0, 1.0)


def test_nothing_scored_is_zero_and_not_an_error() -> None:
    quality = Prequential()
    assert (quality.scored, quality.hit_rate, quality.ndcg, quality.mrr) == (0, 0.0, 0.0, 0.0)
