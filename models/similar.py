"""An item's neighbours: by embeddings and by co-occurrence together.

Two orders of all items are fused by rank, ``score(x) = Σ_o 61 / 2 / (60 + rank_o(x))``, 1 for what is first in both:
by the cosine of the output embeddings, and by the cosine of the co-occurrence counts; each counts for its first 100.
An item without events has no co-occurrence; its neighbours are those of its embedding alone.

By eye on the films of MovieLens 100K: the cosine of the counts alone puts items first that were had once or twice
("Chairman of the Board" beside "Star Wars"), and so do sums of standardised scores, because a few counts lie far
outside. Embeddings alone give the right period and taste and miss sequels. Ranks have neither fault ("Silence of the
Lambs", "Usual Suspects", "Seven" beside "Pulp Fiction"), and need no weight.

References
----------
Cormack, Clarke, Büttcher: Reciprocal Rank Fusion outperforms Condorcet and Individual Rank Learning Methods. SIGIR
2009.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.kernel import kernel
from models.scorers.cooccurrence import Cooccurrence
from models.shared import largest

_DEPTH = 100
_DAMPING = 60  # of the paper
_HIDDEN = np.float32(-2.0)


def similar(
    row: int, outputs: NDArray[np.float32], pairs: Cooccurrence, shown: NDArray[np.bool_], n: int
) -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Return the rows and scores of an item's ``n`` closest neighbours, best first.

    Parameters
    ----------
    row : int
        The item.
    outputs : ndarray of float32, shape (rows, d)
        Output embeddings.
    pairs : Cooccurrence
    shown : ndarray of bool, shape (rows,)
        The items that may be neighbours; the item itself never is.
    n : int
        At most so many, and at most 200.
    """
    shown = shown.copy()
    shown[row] = False
    cosines = np.empty(len(outputs), np.float32)
    _cosines(outputs, row, shown, cosines)
    by_embedding = largest(cosines, _DEPTH)
    by_count, counts = pairs.neighbours_of(row)
    by_count = by_count[np.lexsort((by_count, -counts))]
    orders = by_embedding[cosines[by_embedding] > 0.0], by_count[shown[by_count]][:_DEPTH]
    rows, place = np.unique(np.concatenate(orders), return_inverse=True)
    ranks = np.concatenate([np.arange(1, len(order) + 1) for order in orders])
    halves = (_DAMPING + 1) / 2 / (_DAMPING + ranks)
    scores = np.bincount(place, halves, len(rows)).astype(np.float64)
    best = largest(scores, n)
    return rows[best], scores[best]


@kernel
def _cosines(vectors, row, shown, out):
    """Fill ``out`` with each vector's cosine to one of them, -2 where it is not shown; in one pass over the memory."""
    for x in range(len(vectors)):
        out[x] = _HIDDEN
        if shown[x]:
            dot, square = np.float32(0.0), np.float32(0.0)
            for d in range(vectors.shape[1]):
                dot += vectors[x, d] * vectors[row, d]
                square += vectors[x, d] * vectors[x, d]
            out[x] = dot / np.sqrt(square) if square > 0.0 else np.float32(0.0)
    own = np.float32(0.0)
    for d in range(vectors.shape[1]):
        own += vectors[row, d] * vectors[row, d]
    if own > 0.0:
        for x in range(len(vectors)):
            out[x] = out[x] / np.sqrt(own) if shown[x] else _HIDDEN
