"""Popularity: how often each item was chosen lately, at several half-lives counted in events.

Forward decay: instead of shrinking all old counts at every event, a new event weighs more, ``2^(t / half_life)`` at the
t-th event; when the weights grow large, all counts are scaled down once.

References
----------
Cormode, Shkapenyuk, Srivastava, Xu: Forward Decay. ICDE 2009.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.kernel import grown, kernel

HALF_LIVES = (5000.0, 100.0)
POPULAR, TRENDING = 0, 1
# Far below float64's 2^1023, and rare enough to cost nothing.
_RESCALE_AT = 256.0


class Popularity:
    """Decayed event counts.

    Attributes
    ----------
    counts : ndarray of float64, shape (capacity, len(HALF_LIVES))
        In growing units: only their order and their ratios mean something.
    """

    def __init__(self, capacity: int) -> None:
        self.counts = np.zeros((capacity, len(HALF_LIVES)))
        self._age = np.zeros(len(HALF_LIVES))  # events since the last rescaling, in half-lives

    def grow(self, capacity: int) -> None:
        """Make room for ``capacity`` rows."""
        self.counts = grown(self.counts, capacity)

    def learn(self, rows: NDArray[np.int32], weights: NDArray[np.float32]) -> None:
        """Learn events in their order: ``rows`` and ``weights`` of shape (n,)."""
        _learn(rows, weights, self.counts, self._age, np.array(HALF_LIVES))

    def state(self, rows: int) -> dict[str, Any]:
        """Return what a checkpoint must hold of the first ``rows`` rows."""
        return {"counts": self.counts[:rows].copy(), "age": self._age.copy()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over :meth:`state`."""
        self.counts[: len(state["counts"])] = state["counts"]
        self._age = state["age"].copy()


@kernel
def _learn(rows, weights, counts, age, half_lives):
    for event in range(len(rows)):
        for h in range(len(half_lives)):
            age[h] += 1.0 / half_lives[h]
            if age[h] > _RESCALE_AT:
                for row in range(len(counts)):
                    counts[row, h] *= 2.0**-_RESCALE_AT
                age[h] -= _RESCALE_AT
            counts[rows[event], h] += weights[event] * 2.0 ** age[h]
