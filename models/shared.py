"""Lists for everybody: which rows are the largest by some figure."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


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
