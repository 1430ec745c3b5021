"""The learning log of an evaluation: lessons wait here, in memory, until it is their turn to be learned."""

from __future__ import annotations

from collections import deque

import numpy as np

from contracts.cutting import Cutter
from contracts.learning import Lessons, Source

TOPIC = "evaluation"


def source(first: int, last: int) -> Source:
    """Return the stretch of the stream from position ``first`` to ``last`` inclusive."""
    return Source(TOPIC, "", 0, first, last)


class Log:
    """Lessons whose offsets are positions in the stream, taken out up to any position."""

    def __init__(self) -> None:
        self._waiting: deque[tuple[Lessons, Cutter]] = deque()
        self._next = 0  # event of the first waiting lessons that comes next

    def append(self, lessons: Lessons) -> None:
        """Add the lessons of the next stretch of the stream."""
        self._waiting.append((lessons, Cutter(lessons)))

    def take(self, until: int) -> list[Lessons]:
        """Take out the lessons of all events below a position, in order; none is empty."""
        taken = []
        while self._waiting:
            whole, cutter = self._waiting[0]
            first, stop = self._next, int(np.searchsorted(whole.offset, until))
            if stop > first:
                covered = source(int(whole.offset[first]), int(whole.offset[stop - 1]))
                taken.append(cutter.part(first, stop, list(dict.fromkeys(whole.item[first:stop].tolist())), [covered]))
                self._next = stop
            if stop < len(whole):
                break
            self._waiting.popleft()
            self._next = 0
        return taken
