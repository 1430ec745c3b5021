"""What items teach the map from content to embeddings, kept until there is enough of it to be learned at once.

An item is an example when its events reach 8, 16, 32 …: its embeddings have settled a little more each time, so later
ones weigh more, by the square root of its events. One by one each would cost a walk through the map's megabyte; sixteen
together cost little more than one. A young map learns without delay: as many wait as make a sixteenth of what it has
learned. How many events that takes does not depend on how the log was cut into records.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.content.vectors import LENGTH, write_vector
from models.kernel import inline
from models.scorers.embeddings import PARAMETERS, write_parameters

MOST = 16
"""Examples that wait."""
MILESTONE = 8
_SHARE = 16  # of what the map has learned, one in so many may wait


class Content(NamedTuple):
    """The terms of all items as the kernels take them, see :class:`models.content.items.ItemContent`."""

    hashes: NDArray[np.uint32]
    weights: NDArray[np.uint8]
    lengths: NDArray[np.uint8]
    counts: NDArray[np.uint32]  # of the terms: on how many items each stands …
    items: int  # … of so many


class Waiting(NamedTuple):
    """Examples as the kernels take them, see :class:`Examples`."""

    x: NDArray[np.float64]
    y: NDArray[np.float64]
    weights: NDArray[np.float64]
    fill: NDArray[np.int64]


class Examples:
    """Examples of what content is worth.

    Attributes
    ----------
    x, y, weights : ndarray of float64, shape (MOST, LENGTH), (MOST, PARAMETERS) and (MOST,)
        Vectors of items' content, their embeddings, and how much each example counts.
    fill : ndarray of int64, shape (2,)
        How many wait, and how many make it worth while to learn.
    """

    def __init__(self) -> None:
        self.x, self.y, self.weights = np.zeros((MOST, LENGTH)), np.zeros((MOST, PARAMETERS)), np.zeros(MOST)
        self.fill = np.array([0, 1], np.int64)

    @property
    def enough(self) -> bool:
        """Whether it is time to learn."""
        return bool(self.fill[0] >= self.fill[1])

    def arrays(self) -> Waiting:
        """Return the arrays as the kernels take them."""
        return Waiting(self.x, self.y, self.weights, self.fill)

    def take(self) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return x, y and weights of those that wait, until the next ones come; they wait no longer."""
        n, self.fill[0] = int(self.fill[0]), 0
        return self.x[:n], self.y[:n], self.weights[:n]

    def expect(self, learned: int) -> None:
        """Set how many are to wait, now that the map has learned so many."""
        self.fill[1] = min(1 + learned // _SHARE, MOST)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint must hold."""
        n = int(self.fill[0])
        return {name: getattr(self, name)[:n].copy() for name in ("x", "y", "weights")}

    def restore(self, state: dict[str, Any], learned: int) -> None:
        """Take over :meth:`state` beside a map that has learned so many."""
        for name, part in state.items():
            getattr(self, name)[: len(part)] = part
        self.fill[0] = len(state["weights"])
        self.expect(learned)


@inline
def is_milestone(events):
    """Return whether so many events of an item, at least 8, are a power of two."""
    return events >= MILESTONE and events & (events - 1) == 0


@inline
def add(row, events, content, vectors, waiting):
    """Add an item with content and so many events; return whether it is time to learn."""
    at = waiting.fill[0]
    waiting.x[at] = 0.0
    n = content.lengths[row]
    write_vector(content.hashes[row, :n], content.weights[row, :n], content.counts, content.items, waiting.x[at])
    write_parameters(row, vectors, waiting.y[at])
    waiting.weights[at] = math.sqrt(np.float64(events))
    waiting.fill[0] = at + 1
    return waiting.fill[0] >= waiting.fill[1]
