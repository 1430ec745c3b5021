"""Lists for everybody: which of the items that may be shown are the most popular, or the newest."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def popular(counts: NDArray[np.float64], rows: NDArray[Any], n: int) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return the up to ``n`` of some rows with the largest counts above zero, and these as shares of the largest."""
    counts = counts[rows]
    best = largest(counts, n)
    best = best[counts[best] > 0.0]
    return rows[best], counts[best] / max(counts[best[0]], 1e-300) if len(best) else counts[best]


def latest(dates: NDArray[np.int64], rows: NDArray[Any], n: int) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Return the ``n`` of some rows with the latest dates, and for each how new it is, 1 … 0.

    Of equally old ones, those that came last stand first.
    """
    rows = rows[::-1]
    best = largest(dates[rows], n)
    return rows[best], 1.0 - np.arange(len(best)) / max(n, 1)


def largest(values: NDArray[Any], n: int) -> NDArray[np.int64]:
    """Return the positions of the ``n`` largest of ``values``, shape (m,), largest first; of equal ones the first.

    In linear time, but for sorting those that are returned.
    """
    if n <= 0:
        return np.zeros(0, np.int64)
    chosen = np.arange(len(values))
    if len(values) > n:
        threshold = np.partition(values, len(values) - n)[len(values) - n]
        above = np.flatnonzero(values > threshold)
        chosen = np.sort(np.concatenate([above, np.flatnonzero(values == threshold)[: n - len(above)]]))
    return chosen[np.argsort(-values[chosen], kind="stable")]
