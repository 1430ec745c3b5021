"""The order of a replay: entries of many partitions merged by time, the order within a partition never changed.

An entry's key is (time, source, offset), where time is the running maximum within its source, so that a clock that went
back moves nothing. An entry may leave once every source that is still being read has come to a later key: the result
does not depend on how fast each was read, and nothing but what runs ahead of the slowest source is held.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

EVENT, USER, ITEM = 0, 1, 2
"""Kinds of entries: a click or rating; what is known of a user; the newest record of an item."""
BEFORE_ALL = -1
"""Time of a source of which nothing has come."""


@dataclass(slots=True)
class Entries:
    """Entries as columns, shape (n,) each.

    Attributes
    ----------
    source : ndarray of int32
        Position in the replay's sources.
    offset : ndarray of int64
        Kafka's.
    time : ndarray of int64
        Running maximum of event times within the source, ms since the epoch.
    kind : ndarray of uint8
        :data:`EVENT`, :data:`USER` or :data:`ITEM`.
    own : ndarray of bool
        Whether it came through the user's own partition.
    what : ndarray of object
        The event; (user, hashes of his attributes); the item's id.
    """

    source: NDArray[np.int32]
    offset: NDArray[np.int64]
    time: NDArray[np.int64]
    kind: NDArray[np.uint8]
    own: NDArray[np.bool_]
    what: NDArray[np.object_]

    def __len__(self) -> int:
        """Return the number of entries."""
        return len(self.source)

    def take(self, index: Any) -> Entries:
        """Return the entries at an index of NumPy's."""
        return Entries(*(getattr(self, name)[index] for name in self.__slots__))


def joined(parts: Sequence[Entries]) -> Entries:
    """Return parts one after the other."""
    if len(parts) == 1:
        return parts[0]
    return Entries(*(np.concatenate([getattr(part, name) for part in parts]) for name in Entries.__slots__))


def entries(source: int, kind: int, offset: Any, time: Any, own: Any, what: Sequence[Any]) -> Entries:
    """Return entries of one source."""
    n = len(what)
    objects = np.empty(n, np.object_)
    objects[:] = what
    return Entries(
        np.full(n, source, np.int32),
        np.asarray(offset, np.int64),
        np.asarray(time, np.int64),
        np.full(n, kind, np.uint8),
        np.asarray(own, np.bool_),
        objects,
    )


class Merger:
    """Merges sources.

    Parameters
    ----------
    times : sequence of int
        Of each source the time of its last entry before, :data:`BEFORE_ALL` without one.
    """

    def __init__(self, times: Sequence[int]) -> None:
        self._latest = list(times)
        self._parts: list[deque[Entries]] = [deque() for _ in times]
        self._open = set(range(len(times)))
        self.held = [0] * len(times)

    def put(self, part: Entries) -> None:
        """Add entries of one source, in the order of their offsets."""
        if not len(part):
            return
        source = int(part.source[0])
        part.time[0] = max(int(part.time[0]), self._latest[source])
        np.maximum.accumulate(part.time, out=part.time)
        self._latest[source] = int(part.time[-1])
        self._parts[source].append(part)
        self.held[source] += len(part)

    def finish(self, source: int) -> None:
        """Say that nothing more will come from a source."""
        self._open.discard(source)

    @property
    def finished(self) -> bool:
        """Whether nothing more will come at all."""
        return not self._open

    def take(self) -> Entries | None:
        """Take out all entries that nothing can come before any more, in their order; None where there are none."""
        horizon = min(((self._latest[source], source) for source in self._open), default=None)
        taken: list[Entries] = []
        for source in range(len(self._parts)):
            taken += self._before(source, horizon)
        if not taken:
            return None
        merged = joined(taken)  # source by source, each in its order, which a stable sort keeps where times are equal
        return merged.take(np.argsort(merged.time, kind="stable"))

    def _before(self, source: int, horizon: tuple[int, int] | None) -> list[Entries]:
        parts, taken = self._parts[source], []
        while parts:
            part, n = parts[0], len(parts[0])
            if horizon is not None:
                n = int(np.searchsorted(part.time, horizon[0], "right" if source <= horizon[1] else "left"))
            if n < len(part):
                if n:
                    taken.append(part.take(slice(0, n)))
                    parts[0] = part.take(slice(n, None))
                break
            taken.append(parts.popleft())
        self.held[source] -= sum(map(len, taken))
        return taken
