"""What is written about the items in the model's rows, and what follows from it for their embeddings.

Items that people have had teach a map from content to embeddings (:mod:`models.content.examples`). A new item with
content starts where the map says, plus the small random start of every item. As long as nothing was learned about it,
it starts anew whenever the map has learned twice as much.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.learning import TERMS, Introduction
from models.catalogue import Catalogue
from models.content.examples import Content, Examples
from models.content.ridge import Ridge
from models.content.vectors import LENGTH, Frequencies
from models.kernel import grown
from models.scorers.embeddings import PARAMETERS, Embeddings

_STRENGTH = 10.0
_FIRST_LESSONS = 32  # before that many, starting anew would be for nothing
_STARTED_AT_ONCE = 64


class ItemContent:
    """The terms of every item, and the map learned from them.

    Parameters
    ----------
    catalogue : Catalogue
        Gives the rows.
    embeddings : Embeddings
        Teach the map, and are started by it.
    seed : int
        Of the random part of a start.

    Attributes
    ----------
    digests : ndarray of uint64, shape (capacity,)
        Of the content of each row, 0 where it has none.
    examples : Examples
        What the map has not learned yet.
    """

    def __init__(self, catalogue: Catalogue, embeddings: Embeddings, seed: int) -> None:
        self._catalogue, self._embeddings, self._seed = catalogue, embeddings, seed
        self.frequencies = Frequencies()
        self.ridge = Ridge(LENGTH, PARAMETERS, _STRENGTH)
        self.examples = Examples()
        self._hashes = np.zeros((catalogue.capacity, TERMS), np.uint32)
        self._weights = np.zeros((catalogue.capacity, TERMS), np.uint8)
        self._lengths = np.zeros(catalogue.capacity, np.uint8)
        self.digests = np.zeros(catalogue.capacity, np.uint64)
        # Rows of which nothing was learned → what the map had learned when they started, the longest ago first.
        self._waiting: OrderedDict[int, int] = OrderedDict()

    def arrays(self) -> Content:
        """Return the terms as the kernels take them."""
        return Content(self._hashes, self._weights, self._lengths, self.frequencies.counts, self.frequencies.items)

    def grow(self, capacity: int) -> None:
        """Make room for ``capacity`` rows."""
        for name in ("_hashes", "_weights", "_lengths", "digests"):
            setattr(self, name, grown(getattr(self, name), capacity))

    def release(self, rows: NDArray[np.int32]) -> None:
        """Forget the content of some rows."""
        for row in rows.tolist():
            self.frequencies.remove(self._hashes[row, : self._lengths[row]])
            self._waiting.pop(row, None)
        self._lengths[rows] = 0
        self.digests[rows] = 0

    def put(self, rows: NDArray[np.int32], introduced: list[Introduction]) -> None:
        """Take over the content of introduced items; those of which nothing was learned yet start by it."""
        changed: dict[int, None] = {}
        for row, content in zip(rows.tolist(), introduced, strict=True):
            if self.digests[row] != content.digest:
                self._replace(row, content)
                changed[row] = None
        self._start([row for row in changed if self._embeddings.untouched(row)])

    def placed(self, rows: NDArray[np.int32]) -> NDArray[np.int32]:
        """Return those of the rows that have content, once the map says something of it."""
        return rows[self._lengths[rows] > 0] if self.ridge.learned >= _FIRST_LESSONS else rows[:0]

    def learn(self) -> None:
        """Let the map learn from the examples that wait."""
        self.ridge.learn(*self.examples.take())
        self.examples.expect(self.ridge.learned)
        self._start_anew()

    def _start_anew(self) -> None:
        """Start some waiting rows anew for which the map has learned enough since."""
        starting: list[int] = []
        while self._waiting and len(starting) < _STARTED_AT_ONCE:
            row, learned = next(iter(self._waiting.items()))
            if self.ridge.learned < max(2 * learned, _FIRST_LESSONS):
                break
            del self._waiting[row]
            if self._embeddings.untouched(row):
                starting.append(row)
        self._start(starting)

    def state(self, rows: int) -> dict[str, Any]:
        """Return what a checkpoint must hold of the first ``rows`` rows."""
        lengths = self._lengths[:rows]
        held = np.arange(TERMS) < lengths[:, None]
        return {
            "hashes": self._hashes[:rows][held],
            "weights": self._weights[:rows][held],
            "lengths": lengths.copy(),
            "digests": self.digests[:rows].copy(),
            "waiting": np.array(list(self._waiting.items()), np.int64).reshape(-1, 2),
            "frequencies": self.frequencies.state(),
            "ridge": self.ridge.state(),
            "examples": self.examples.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over :meth:`state`."""
        rows = len(state["lengths"])
        held = np.arange(TERMS) < state["lengths"][:, None]
        self._hashes[:rows][held] = state["hashes"]
        self._weights[:rows][held] = state["weights"]
        self._lengths[:rows] = state["lengths"]
        self.digests[:rows] = state["digests"]
        self._waiting = OrderedDict(state["waiting"].tolist())
        self.frequencies.restore(state["frequencies"])
        self.ridge.restore(state["ridge"])
        self.examples.restore(state.get("examples", Examples().state()), self.ridge.learned)

    def _replace(self, row: int, content: Introduction) -> None:
        hashes = np.frombuffer(content.hashes, "<u4")
        n = len(hashes)
        self.frequencies.remove(self._hashes[row, : self._lengths[row]])
        self.frequencies.add(hashes)
        self._hashes[row, :n] = hashes
        self._weights[row, :n] = np.frombuffer(content.weights, np.uint8)
        self._lengths[row] = n
        self.digests[row] = content.digest

    def _vectors(self, rows: NDArray[np.int32]) -> NDArray[np.float64]:
        return self.frequencies.vectors(self._hashes[rows], self._weights[rows], self._lengths[rows])

    def _start(self, rows: list[int]) -> None:
        if not rows:
            return
        at = np.array(rows, np.int32)
        self._embeddings.place(at, self._catalogue.keys[at], self._seed, self.ridge.predict(self._vectors(at)))
        for row in rows:
            self._waiting[row] = self.ridge.learned
            self._waiting.move_to_end(row)
