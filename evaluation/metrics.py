"""Metrics: of lists with any number of relevant items, of single ranks, of predicted ratings and of probabilities.

The metrics of lists equal those of ranx (Bassani 2022) on the same order of items: precision divides by k even where a
list is shorter, average precision by the number of relevant items, gains are linear, an empty list scores 0.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Judged:
    """Ranked lists beside what would have been right.

    Attributes
    ----------
    gains : ndarray, shape (n, k)
        Relevance of the item at each place, best place first; 0 = not relevant, or no item.
    ideal : ndarray, shape (n, k)
        The same if the most relevant items came first.
    relevant : ndarray, shape (n,)
        Number of relevant items.
    """

    gains: Floats
    ideal: Floats
    relevant: Floats

    @property
    def k(self) -> int:
        """Depth of the lists."""
        return int(self.gains.shape[1])

    @property
    def hits(self) -> Floats:
        """Number of relevant items among the first k, shape (n,)."""
        return np.asarray((self.gains > 0).sum(axis=1), np.float64)


def judge(lists: Sequence[Sequence[int]], relevance: Sequence[Mapping[int, float]], k: int) -> Judged:
    """Look up the relevance of each place.

    Parameters
    ----------
    lists : sequence of sequences of int
        Items, best first; of any lengths.
    relevance : sequence of mappings of int to float
        Of each list: item → gain > 0. Items that are not named are not relevant.
    k : int
        Depth.
    """
    gains, ideal = np.zeros((len(lists), k)), np.zeros((len(lists), k))
    for row, (items, gain_of) in enumerate(zip(lists, relevance, strict=True)):
        found = [gain_of.get(item, 0.0) for item in items[:k]]
        best = sorted(gain_of.values(), reverse=True)[:k]
        gains[row, : len(found)] = found
        ideal[row, : len(best)] = best
    return Judged(gains, ideal, np.array([len(gain_of) for gain_of in relevance], np.float64))


def hit_rate(judged: Judged) -> Floats:
    """Return whether anything relevant is among the first k, shape (n,)."""
    return (judged.hits > 0).astype(np.float64)


def precision(judged: Judged) -> Floats:
    """Return hits / k, shape (n,)."""
    return judged.hits / judged.k


def recall(judged: Judged) -> Floats:
    """Return hits / relevant items, shape (n,)."""
    return _share(judged.hits, judged.relevant)


def f1(judged: Judged) -> Floats:
    """Return the harmonic mean of precision and recall, shape (n,)."""
    p, r = precision(judged), recall(judged)
    return _share(2 * p * r, p + r)


def reciprocal_rank(judged: Judged) -> Floats:
    """Return 1 / place of the first relevant item, 0 beyond k, shape (n,)."""
    relevant = judged.gains > 0
    return np.where(relevant.any(axis=1), 1.0 / (1.0 + relevant.argmax(axis=1)), 0.0)


def average_precision(judged: Judged) -> Floats:
    """Return the sum of the precisions at the places of relevant items / relevant items, shape (n,)."""
    relevant = judged.gains > 0
    at_each = relevant.cumsum(axis=1) / np.arange(1, judged.k + 1)
    return _share((at_each * relevant).sum(axis=1), judged.relevant)


def ndcg(judged: Judged) -> Floats:
    """Return Σ gain / log2(place + 1) over the same of the ideal order, shape (n,) (Järvelin and Kekäläinen 2002)."""
    discounts = 1.0 / np.log2(np.arange(2, judged.k + 2))
    return _share(judged.gains @ discounts, judged.ideal @ discounts)


RANKED = ("hr", "recall", "precision", "f1", "ndcg", "map", "mrr")
"""Columns of :func:`of_ranks`; all but the last are cut at k."""


def of_ranks(ranks: Floats, k: int) -> Floats:
    """Return the metrics of lists with one relevant item each, from its rank alone, shape (m, len(RANKED)).

    Ranks may be halves, as mean ranks of ties are. Recall is the hit rate, and average precision the reciprocal rank.
    """
    hit = (ranks <= k).astype(np.float64)
    reciprocal = 1.0 / ranks
    return np.column_stack(
        [hit, hit, hit / k, hit * 2 / (k + 1), hit / np.log2(ranks + 1.0), hit * reciprocal, reciprocal]
    )


def rmse(predicted: Floats, actual: Floats) -> float:
    """Return the root of the mean squared error."""
    return float(np.sqrt(np.mean(np.square(predicted - actual))))


def mae(predicted: Floats, actual: Floats) -> float:
    """Return the mean absolute error."""
    return float(np.mean(np.abs(predicted - actual)))


def auc(probability: Floats, clicked: NDArray[np.bool_]) -> float:
    """Return how often a click has the larger probability than no click, ties half; NaN unless there are both."""
    positives = int(clicked.sum())
    negatives = len(clicked) - positives
    if not positives or not negatives:
        return float("nan")
    _, group, counts = np.unique(probability, return_inverse=True, return_counts=True)
    mean_ranks = np.cumsum(counts) - (counts - 1) / 2  # of ties, from 1
    above = mean_ranks[group][clicked].sum() - positives * (positives + 1) / 2
    return float(above / (positives * negatives))


def log_loss(probability: Floats, clicked: NDArray[np.bool_]) -> float:
    """Return the mean of :func:`log_losses`."""
    return float(log_losses(probability, clicked).mean())


def log_losses(probability: Floats, clicked: NDArray[np.bool_]) -> Floats:
    """Return −log of the probability of what happened, in nats, (n,); probabilities at least 1e-15 from 0 and 1."""
    clipped = np.clip(probability, 1e-15, 1.0 - 1e-15)
    return np.asarray(-np.where(clicked, np.log(clipped), np.log1p(-clipped)))


def _share(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros(len(part)), where=whole > 0)
