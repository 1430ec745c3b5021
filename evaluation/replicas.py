"""The learning log as several workers write it: each a record of its own users' events, one after the other.

All workers fold the same log, so one engine stands for all of them. What several workers change is the order: of the
events that happen while a record is on its way, each worker's stand together.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.learning import BY_EVENT, RAGGED, Lessons, Source
from evaluation.log import TOPIC, Log


class ReplicatedLog(Log):
    """A log to which several workers append.

    Parameters
    ----------
    user : ndarray of int32, shape (events,)
        Whose each event of the stream is.
    replicas : int
        Workers; each has every ``replicas``-th user.
    window : int
        Events of the stream that happen while a record is on its way. Only whole windows are learned.
    """

    def __init__(self, user: NDArray[np.integer], replicas: int, window: int) -> None:
        super().__init__()
        self._owner, self._replicas, self._window = user % replicas, replicas, max(1, window)
        self._ends = self._window  # of the window that comes next

    def take(self, until: int) -> list[Lessons]:
        """Take out the lessons of all windows that end at or below a position, as they stand in the log."""
        taken = []
        while self._ends <= until:
            pieces = super().take(self._ends)
            for replica in range(self._replicas):
                for piece in pieces:
                    own = self._owner[piece.offset] == replica
                    if own.any():
                        taken.append(_of(piece, own, replica))
            self._ends += self._window
        return taken


def _of(lessons: Lessons, own: NDArray[np.bool_], replica: int) -> Lessons:
    """Return the lessons of some events, as a record of one worker's own input."""
    columns: dict[str, Any] = {name: getattr(lessons, name)[own] for name in BY_EVENT}
    used = list(dict.fromkeys(columns["item"].tolist()))  # in the order of their first appearance
    new = np.zeros(len(lessons.items), np.int32)
    new[used] = np.arange(len(used))
    columns["item"] = new[columns["item"]]
    ragged = {
        name: getattr(lessons, name)[np.repeat(own, np.maximum(getattr(lessons, sizes), 0))]
        for name, sizes in RAGGED.items()
    }
    offsets = columns["offset"]
    of_replica = Source(TOPIC, "", replica, int(offsets[0]), int(offsets[-1]))
    items = [lessons.items[position] for position in used]
    return replace(lessons, sources=[of_replica], items=items, **columns, **ragged)
