"""Maximal marginal relevance over a short list: the same rule as the list policy's, at request time. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray


def diversified(
    relevance: NDArray[np.float32], vectors: Sequence[NDArray[np.float32] | None], diversity: float
) -> Iterator[int]:
    """Yield the places of a list's items in their new order.

    The next item is the one with the largest ``(1 − λ) · relevance − λ · max cosine to what stands above it``, the
    first of equal ones; so the item on top stays unless λ is 1, and then too.

    Parameters
    ----------
    relevance : ndarray of float32, shape (n,)
        1 … 0.
    vectors : sequence of ndarray of float32, shape (d,), or None
        One for each item; one without is at a right angle to all others, and so is one of another length than the
        first that there is.
    diversity : float
        λ, 0 … 1.

    References
    ----------
    Carbonell, Goldstein: The Use of MMR, Diversity-Based Reranking. SIGIR 1998, eq. 1.
    """
    units = _units(vectors)
    closest = np.full(len(relevance), -np.inf, np.float32)  # the largest cosine to what stands above
    left = np.ones(len(relevance), np.bool_)
    value = relevance.astype(np.float32)
    for _ in range(len(relevance)):
        place = int(np.argmax(np.where(left, value, -np.inf)))
        yield place
        left[place] = False
        closest = np.maximum(closest, units @ units[place])
        value = np.float32(1.0 - diversity) * relevance - np.float32(diversity) * closest


def _units(vectors: Sequence[NDArray[np.float32] | None]) -> NDArray[np.float32]:
    dimensions = next((len(vector) for vector in vectors if vector is not None), 0)
    units = np.zeros((len(vectors), dimensions), np.float32)
    for row, vector in zip(units, vectors, strict=True):
        if vector is not None and len(vector) == dimensions:
            length = float(np.linalg.norm(vector))
            if np.isfinite(length) and length > 0.0:
                row[:] = vector / length
    return units
