"""Which rows wait to be written somewhere: each is handed out once for all that has changed in it, in its turn."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.kernel import grown

_STRETCH = 1 << 16  # rows that are looked through at once


class Waiting:
    """Rows that wait, handed out in the order of their numbers, round after round: busy ones keep none waiting.

    To hand some out costs the same however many wait.
    """

    def __init__(self) -> None:
        self._waits = np.zeros(1024, np.bool_)
        self._turn = 0  # the row from which on the next are looked for

    def add(self, rows: NDArray[np.integer]) -> None:
        """Let rows wait."""
        if len(rows):
            end = int(rows.max()) + 1
            if end > len(self._waits):
                self._waits = grown(self._waits, max(end, 2 * len(self._waits)))
            self._waits[rows] = True

    def discard(self, rows: NDArray[np.integer]) -> None:
        """Let rows wait no more."""
        self._waits[rows[rows < len(self._waits)]] = False

    def take(self, n: int) -> list[int]:
        """Return up to ``n`` rows that waited; they wait no more."""
        taken: list[int] = []
        end = len(self._waits)
        for first, last in ((self._turn, end), (0, min(self._turn, end))):
            for start in range(first, last, _STRETCH):
                if len(taken) >= n:
                    break
                found = start + np.flatnonzero(self._waits[start : min(start + _STRETCH, last)])
                taken += found[: n - len(taken)].tolist()
        self._waits[taken] = False
        self._turn = taken[-1] + 1 if taken else self._turn
        return taken
