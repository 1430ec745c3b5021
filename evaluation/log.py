"""The learning log of an evaluation: lessons wait here, in memory, until it is their turn to be learned."""

from __future__ import annotations

from collections import deque
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from contracts.learning import Lessons, Source

TOPIC = "evaluation"
COLUMNS = (
    "source", "offset", "time", "gap", "kind", "weight", "rating", "rater", "lengths", "had", "attribute_lengths",
)  # fmt: skip
RAGGED = {"history": "lengths", "value": "lengths", "seen": "had", "attributes": "attribute_lengths"}


def source(first: int, last: int) -> Source:
    """Return the stretch of the stream from position ``first`` to ``last`` inclusive."""
    return Source(TOPIC, "", 0, first, last)


class Log:
    """Lessons whose offsets are positions in the stream, taken out up to any position."""

    def __init__(self) -> None:
        self._waiting: deque[Lessons] = deque()
        self._next = 0  # event of the first waiting lessons that comes next
        # Of the first waiting lessons' ragged columns, where each event's part starts.
        self._starts: dict[str, NDArray[np.int64]] = {}

    def append(self, lessons: Lessons) -> None:
        """Add the lessons of the next stretch of the stream."""
        self._waiting.append(lessons)
        if len(self._waiting) == 1:
            self._open()

    def take(self, until: int) -> list[Lessons]:
        """Take out the lessons of all events below a position, in order; none is empty."""
        taken = []
        while self._waiting:
            whole = self._waiting[0]
            stop = int(np.searchsorted(whole.offset, until))
            if stop > self._next:
                taken.append(self._cut(whole, self._next, stop))
                self._next = stop
            if stop < len(whole):
                break
            self._waiting.popleft()
            if self._waiting:
                self._open()
        return taken

    def _open(self) -> None:
        self._next = 0
        whole = self._waiting[0]
        self._starts = {sizes: _starts(np.maximum(getattr(whole, sizes), 0)) for sizes in set(RAGGED.values())}

    def _cut(self, whole: Lessons, first: int, stop: int) -> Lessons:
        part = slice(first, stop)
        items, item = used(whole.items, whole.item[part])
        return replace(
            whole,
            sources=[source(int(whole.offset[first]), int(whole.offset[stop - 1]))],
            items=items,
            item=item,
            **{name: getattr(whole, name)[part] for name in COLUMNS},
            **{
                name: getattr(whole, name)[self._starts[sizes][first] : self._starts[sizes][stop]]
                for name, sizes in RAGGED.items()
            },
        )


def _starts(lengths: NDArray[np.integer]) -> NDArray[np.int64]:
    starts = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=starts[1:])
    return starts


def used(items: list[str], item: NDArray[np.int32]) -> tuple[list[str], NDArray[np.int32]]:
    """Return the ids that a column refers to, in the order of their first appearance, and the column for them."""
    positions = item.tolist()
    new = {position: index for index, position in enumerate(dict.fromkeys(positions))}
    return [items[position] for position in new], np.array([new[position] for position in positions], np.int32)
