"""The scorers' learning one by one: the fold's own kernels, each in a loop of its own over the same events."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from contracts.learning import HISTORY, Lessons
from models.item_model import ItemModel
from models.kernel import draw, kernel
from models.scorers import cooccurrence, embeddings, popularity, recency, repeats
from models.scorers.embeddings import DIMENSIONS, NEGATIVES


@kernel
def _popularity(rows, weights, times, counts):
    for e in range(len(rows)):
        popularity.learn(rows[e], weights[e], times[e], counts)


@kernel
def _recency_and_repeats(rows, histories, lengths, last, returns):
    for e in range(len(rows)):
        recency.learn(rows[e], last)
        repeats.learn(rows[e], histories[e, : lengths[e]], returns)


@kernel
def _pairs(first, rows, weights, histories, lengths, pairs):
    for e in range(first, len(rows)):
        if not cooccurrence.has_room(pairs):
            return e
        cooccurrence.learn(rows[e], weights[e], histories[e, : lengths[e]], pairs)
    return len(rows)


@kernel
def _embeddings(rows, weights, histories, lengths, known, n_known, seed, vectors):
    drawn, error = np.empty(NEGATIVES + 1, np.int32), np.empty(NEGATIVES + 1, np.float32)
    user, gradient = np.empty(DIMENSIONS, np.float32), np.empty(DIMENSIONS, np.float32)
    for e in range(len(rows)):
        mine = histories[e, : lengths[e]]
        embeddings.represent(mine, vectors.inputs, user)
        own = draw(seed, np.uint64(e))
        embeddings.learn(rows[e], weights[e], user, mine, known, n_known, own, vectors, drawn, error, gradient)


class Apart:
    """The scorers of one item model.

    Parameters
    ----------
    model : ItemModel
        It changes.
    """

    def __init__(self, model: ItemModel) -> None:
        self._model = model

    def of(self, lessons: Lessons) -> dict[str, Callable[[], None]]:
        """Return what is to be timed: name → a call that lets this scorer alone learn a record of known items."""
        model, catalogue = self._model, self._model.catalogue
        rows, weights, times = catalogue.admit(lessons.items)[lessons.item], lessons.weight, lessons.time
        lengths = lessons.lengths.astype(np.int64)
        histories = self._histories(lessons)
        n = len(catalogue)
        seed, vectors = np.uint64(model.position), model.embeddings.arrays(n)

        def learn_pairs() -> None:
            done = 0
            while done < len(rows):
                done = _pairs(done, rows, weights, histories, lengths, model.pairs.arrays(n))
                model.pairs.make_room()

        return {
            "popularity": lambda: _popularity(rows, weights, times, model.popularity.arrays(n)),
            "recency and repeats": lambda: _recency_and_repeats(
                rows, histories, lengths, model.recency.arrays(n), model.repeats.arrays(n)
            ),
            "co-occurrence": learn_pairs,
            "embeddings": lambda: _embeddings(
                rows, weights, histories, lengths, catalogue.known, catalogue.n_known, seed, vectors
            ),
        }

    def _histories(self, lessons: Lessons) -> NDArray[np.int32]:
        histories = np.full((len(lessons), HISTORY), -1, np.int32)
        histories[np.arange(HISTORY) < lessons.lengths[:, None]] = self._model.catalogue.rows(lessons.history)
        return histories
