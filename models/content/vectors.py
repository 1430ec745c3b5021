"""From hashed terms to a dense vector: TF-IDF under a sparse random projection.

A term's part is ``weight · √ln(1 + N/n) · n/(n + 40)``, n being how many other items of N have it. The square root
tempers the inverse document frequency, which is made for telling items apart; to carry over what was learned from one
item to another, a term must stand on enough of them, hence the last factor: a word that no other item has says nothing.
Each term then adds its part to four of the vector's elements with random signs. The first element is always 1.

References
----------
Weinberger, Dasgupta, Langford, Smola, Attenberg: Feature Hashing for Large Scale Multitask Learning. ICML 2009.
Achlioptas: Database-friendly Random Projections. JCSS 66(4), 2003.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.content.terms import UNIT
from models.kernel import draw, draw_below, inline, kernel

LENGTH = 256
"""Elements of a vector."""
_BITS = 18  # of a term's hash, by which its frequency is found: 1 MB
_PLACES = 4
_EVIDENCE = 40.0


class Frequencies:
    """On how many items each term stands.

    Attributes
    ----------
    counts : ndarray of uint32, shape (2^18,)
        By the highest bits of a term's hash; terms that share them count as one.
    items : int
        Items with content.
    """

    def __init__(self) -> None:
        self.counts = np.zeros(1 << _BITS, np.uint32)
        self.items = 0

    def add(self, hashes: NDArray[np.uint32]) -> None:
        """Count an item's terms."""
        if len(hashes):
            np.add.at(self.counts, hashes >> np.uint32(32 - _BITS), 1)
            self.items += 1

    def remove(self, hashes: NDArray[np.uint32]) -> None:
        """Take back what :meth:`add` counted."""
        if len(hashes):
            np.subtract.at(self.counts, hashes >> np.uint32(32 - _BITS), 1)
            self.items -= 1

    def vectors(
        self, hashes: NDArray[np.uint32], weights: NDArray[np.uint8], lengths: NDArray[np.uint8]
    ) -> NDArray[np.float64]:
        """Return the vectors, shape (m, LENGTH), of items whose first ``lengths`` terms of shape (m, LIMIT) count."""
        vectors = np.zeros((len(hashes), LENGTH))
        _vectors(hashes, weights, lengths, self.counts, self.items, vectors)
        return vectors

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint must hold."""
        return {"counts": self.counts.copy(), "items": self.items}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over :meth:`state`."""
        self.counts[:] = state["counts"]
        self.items = state["items"]


@kernel
def _vectors(hashes, weights, lengths, counts, items, vectors):
    for item in range(len(hashes)):
        n = lengths[item]
        write_vector(hashes[item, :n], weights[item, :n], counts, items, vectors[item])


@inline
def write_vector(hashes, weights, counts, items, vector):
    """Write the vector of an item with these terms into zeros; ``counts`` and ``items`` as in :class:`Frequencies`."""
    vector[0] = 1.0
    for term in range(len(hashes)):
        others = np.float64(counts[hashes[term] >> np.uint32(32 - _BITS)]) - 1.0
        if others > 0.0:
            part = weights[term] / UNIT * math.sqrt(math.log(1.0 + items / others))
            _spread(hashes[term], part * others / (others + _EVIDENCE), vector)


@inline
def _spread(term, part, vector):
    for place in range(_PLACES):
        at = 1 + draw_below(np.uint64(term), np.uint64(place), len(vector) - 1)
        up = draw(np.uint64(term), np.uint64(_PLACES + place)) & np.uint64(1)
        vector[at] += part / math.sqrt(_PLACES) if up else -part / math.sqrt(_PLACES)
