"""How well ratings are predicted: progressively, each before it is learned, and by k-fold cross-validation."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation import metrics
from evaluation.stream import Stream
from models.ratings import RatingModel, rater

LIKED = 4.0
"""From this rating on an item counts as liked, for the figures of a classifier."""

Floats = NDArray[np.float64]


@dataclass
class Predictions:
    """Predicted beside actual ratings.

    Attributes
    ----------
    event : ndarray of int64, shape (m,)
        Positions in the stream.
    predicted, actual : ndarray, shape (m,)
    seconds : float
        Spent on predicting and learning.
    learned : int
        Ratings learned in that time.
    """

    event: NDArray[np.int64]
    predicted: Floats
    actual: Floats
    seconds: float
    learned: int


def progressive(
    stream: Stream, seed: int, max_users: int, on_progress: Callable[[int], None] = lambda events: None
) -> Predictions:
    """Predict each rating just before it is learned, from the first one on."""
    rated = np.flatnonzero(~np.isnan(stream.rating))
    model = _Rater(stream, seed, max_users)
    predicted = np.zeros(len(rated))
    began = time.perf_counter()
    for index, event in enumerate(rated.tolist()):
        predicted[index] = model.predict(event)
        model.learn(event)
        if not index % 1000:
            on_progress(event)
    on_progress(len(stream))
    return Predictions(rated, predicted, stream.rating[rated], time.perf_counter() - began, len(rated))


def folds(
    stream: Stream, n: int, seed: int, max_users: int, on_progress: Callable[[int], None] = lambda events: None
) -> Iterator[Predictions]:
    """Split the ratings at random into ``n`` parts; predict each after learning the others in one pass.

    They are learned in random order: what is held out lies between them in time, so the newest must not weigh most.
    """
    rated = np.random.default_rng(seed).permutation(np.flatnonzero(~np.isnan(stream.rating)))
    part = np.arange(len(rated)) % n
    for fold in range(n):
        model = _Rater(stream, seed, max_users)
        learned, held = rated[part != fold], rated[part == fold]
        began = time.perf_counter()
        for index, event in enumerate(learned.tolist()):
            model.learn(event)
            if not index % 1000:
                on_progress((fold * len(stream) + index) // n)
        predicted = np.array([model.predict(event) for event in held.tolist()])
        yield Predictions(held, predicted, stream.rating[held], time.perf_counter() - began, len(learned))
    on_progress(len(stream))


def quality(predictions: Predictions) -> dict[str, Any]:
    """Return RMSE and MAE, and the figures of a classifier of liked items."""
    liked, said = predictions.actual >= LIKED, predictions.predicted >= LIKED
    found = float((liked & said).sum())
    precision, recall = found / max(int(said.sum()), 1), found / max(int(liked.sum()), 1)
    return {
        "rmse": metrics.rmse(predictions.predicted, predictions.actual),
        "mae": metrics.mae(predictions.predicted, predictions.actual),
        "accuracy": float((liked == said).mean()),
        "precision": precision,
        "recall": recall,
        "f1": 2 * precision * recall / max(precision + recall, 1e-12),
        "auc": metrics.auc(predictions.predicted, liked),
    }


class _Rater:
    """The rating model on the events of a stream; one who has not rated yet is predicted the mean so far."""

    def __init__(self, stream: Stream, seed: int, max_users: int) -> None:
        self._model = RatingModel(max_users, seed)
        self._raters = [rater(user) for user in stream.users]
        self._user, self._item, self._rating = stream.user, stream.item, stream.rating
        self._sum, self._n = 0.0, 0

    def predict(self, event: int) -> float:
        own = self._model.predict(self._raters[self._user[event]], self._item[event : event + 1])
        return float(own[0]) if own is not None else self._sum / max(self._n, 1)

    def learn(self, event: int) -> None:
        rating = float(self._rating[event])
        self._model.learn(self._raters[self._user[event]], int(self._item[event]), rating)
        self._sum, self._n = self._sum + rating, self._n + 1
