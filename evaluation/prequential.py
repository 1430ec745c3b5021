"""Prequential quality: rank, record, then learn.

The item of each event is ranked among all items known by then, except those its user has had, before the event is
learned. The live worker and the offline evaluator use this same accumulator.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(slots=True)
class Prequential:
    """Ranking quality over a stream.

    Parameters
    ----------
    k : int
        Depth of hit rate and NDCG.

    Attributes
    ----------
    scored, hits : int
        Events that were ranked, and those whose item was among the first k.
    """

    k: int = 10
    scored: int = 0
    hits: int = 0
    _gain: float = 0.0
    _reciprocal: float = 0.0

    def add(self, ranks: NDArray[np.float64]) -> None:
        """Add events by the rank of their items, 1 = best, shape (m,)."""
        hit = ranks <= self.k
        self.scored += len(ranks)
        self.hits += int(hit.sum())
        self._gain += float((1.0 / np.log2(ranks[hit] + 1.0)).sum())
        self._reciprocal += float((1.0 / ranks).sum())

    @property
    def hit_rate(self) -> float:
        """Share of events whose item was among the first k; with one item per event this is recall@k too."""
        return self.hits / self.scored if self.scored else 0.0

    @property
    def ndcg(self) -> float:
        """Mean of 1 / log2(rank + 1) over all events, 0 beyond k (Järvelin and Kekäläinen 2002, one relevant item)."""
        return self._gain / self.scored if self.scored else 0.0

    @property
    def mrr(self) -> float:
        """Mean of 1 / rank over all events."""
        return self._reciprocal / self.scored if self.scored else 0.0
