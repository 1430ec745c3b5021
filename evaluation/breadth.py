"""What lists are like besides being right: how much of the catalogue they show, and how varied they are.

All take lists as rows of the item model, shape (m, k), -1 where a list has fewer items.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

_CHUNK = 4096  # lists whose vectors are gathered at once
_SMOOTHING = 0.01  # Steck's α: keeps the divergence finite where a list lacks a category

Floats = NDArray[np.float64]
Lists = NDArray[np.int32]


def exposures(lists: Lists, rows: int) -> Floats:
    """Return how often each row is on a list, shape (rows,)."""
    return np.bincount(lists[lists >= 0], minlength=rows).astype(np.float64)


def coverage(exposed: Floats, known: NDArray[np.bool_]) -> float:
    """Return the share of the known items that are on any list."""
    return float((exposed[known] > 0).mean()) if known.any() else 0.0


def gini(exposed: Floats, known: NDArray[np.bool_]) -> float:
    """Return the Gini coefficient of the known items' exposures: 0 = all alike, towards 1 = a few have all."""
    ordered = np.sort(exposed[known])
    total = ordered.sum()
    if not total:
        return 0.0
    n = len(ordered)
    return float((2 * np.arange(1, n + 1) - n - 1) @ ordered / (n * total))


def novelty(exposed: Floats, events: NDArray[np.int64]) -> float:
    """Return the mean of −log2 of the share of all events that an item on a list had, in bits.

    References
    ----------
    Zhou et al.: Solving the apparent diversity-accuracy dilemma of recommender systems. PNAS 2010.
    """
    if not exposed.any():
        return 0.0
    bits = -np.log2(np.maximum(events[: len(exposed)], 1) / max(events.sum(), 1))
    return float(np.average(bits, weights=exposed))


def intra_list_distance(lists: Lists, vectors: NDArray[np.float32]) -> float:
    """Return the mean over lists of the mean of 1 − cosine between two different items of the list.

    Parameters
    ----------
    lists : ndarray, shape (m, k)
    vectors : ndarray, shape (rows, d)
        Of the items; those of the engine at the end of the stream, the same for the lists of every model.
    """
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    unit = np.vstack([vectors / np.maximum(lengths, 1e-12), np.zeros((1, vectors.shape[1]), vectors.dtype)])
    distances: list[Floats] = []
    for first in range(0, len(lists), _CHUNK):
        part = lists[first : first + _CHUNK]
        items = (part >= 0).sum(axis=1)
        part, items = part[items > 1], items[items > 1]
        # Σ over pairs of cosines, from the length of the sum; row -1 is the zero vector.
        squared = np.square(unit[part].sum(axis=1)).sum(axis=1) - items
        distances.append(1.0 - squared / (items * (items - 1)))
    joined = np.concatenate(distances) if distances else np.zeros(0)
    return float(joined.mean()) if len(joined) else 0.0


def calibration(lists: Lists, categories: Floats, taste: Floats) -> float:
    """Return the mean divergence, in nats, of the lists' categories from their users' tastes; 0 = calibrated.

    Parameters
    ----------
    lists : ndarray, shape (m, k)
    categories : ndarray, shape (rows, c)
        Each item's distribution over categories, zeros where unknown.
    taste : ndarray, shape (m, c)
        Each user's, from the items that he had had before the list.

    References
    ----------
    Steck: Calibrated recommendations. RecSys 2018.
    """
    padded = np.vstack([categories, np.zeros((1, categories.shape[1]))])
    total, counted = 0.0, 0
    for first in range(0, len(lists), _CHUNK):
        part = slice(first, first + _CHUNK)
        shown = padded[lists[part]].sum(axis=1)
        p, weight = taste[part], shown.sum(axis=1)
        usable = (weight > 0) & (p.sum(axis=1) > 0)
        p, shown = p[usable], shown[usable] / weight[usable, None]
        p = p / p.sum(axis=1, keepdims=True)
        smoothed = (1 - _SMOOTHING) * shown + _SMOOTHING * p
        ratio = np.divide(p, smoothed, out=np.ones_like(p), where=p > 0)
        total += float((p * np.log(ratio)).sum())
        counted += int(usable.sum())
    return total / counted if counted else 0.0
