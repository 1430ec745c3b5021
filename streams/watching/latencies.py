"""Counts of durations by partition, in the bins of a Prometheus histogram."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np
from numpy.typing import NDArray

BOUNDS_S: Final = (
    0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 7200.0,
)  # fmt: skip
"""Upper bounds in seconds, themselves included; a last bin has what lies beyond."""
_BINS = len(BOUNDS_S) + 1


class Latencies:
    """Durations of each partition, counted a batch at a time."""

    def __init__(self) -> None:
        self._counts = np.zeros((0, _BINS), np.int64)
        self._sums = np.zeros(0)

    def add(self, partitions: NDArray[np.int64], seconds: NDArray[np.float64]) -> None:
        """Count durations, shape (n,), each of the partition in the same place; below 0 (clocks differ) counts as 0."""
        if not len(seconds):
            return
        # Another thread may be reading: it sees the arrays before or after, never half of a change of shape.
        missing = int(partitions.max()) + 1 - len(self._sums)
        if missing > 0:
            self._counts = np.pad(self._counts, ((0, missing), (0, 0)))
            self._sums = np.pad(self._sums, (0, missing))
        seconds = np.maximum(seconds, 0.0)
        places = partitions * _BINS + np.searchsorted(BOUNDS_S, seconds)
        self._counts += np.bincount(places, minlength=self._counts.size).reshape(self._counts.shape)
        self._sums += np.bincount(partitions, seconds, len(self._sums))

    def snapshot(self) -> Iterator[tuple[int, NDArray[np.int64], float]]:
        """Yield (partition, counts of durations up to each bound and at last of all, sum in s) of those with any."""
        counts, sums = self._counts.cumsum(axis=1), self._sums.copy()
        for partition in np.flatnonzero(counts[:, -1]).tolist():
            yield partition, counts[partition], float(sums[partition])
