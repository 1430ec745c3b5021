"""What is compared: the engine's blend, each of its scorers alone, and what needs no learning to recommend."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from evaluation.errors import EvaluationError
from models import ranking
from models.combine import SCORERS, Tables
from models.item_model import ItemModel
from models.scorers.popularity import POPULAR, TRENDING

Scores = NDArray[np.float32] | NDArray[np.float64]

_DAY_MS = 24 * 3600 * 1000
_OF_THE_ENGINE = ("blend", *SCORERS)
SCORED_AT_ONCE = frozenset(_OF_THE_ENGINE)
"""What :attr:`Moment.apart` scores in one go."""


@dataclass
class Moment:
    """What is known when an event is ranked.

    Attributes
    ----------
    position : int
        The event's position in the stream.
    items : ItemModel
        What has been learned until then.
    tables : Tables
        The same as the scorers read it.
    recent : ndarray of int32, shape (HISTORY,)
        Rows of the user's recent items, newest first, -1 = none.
    candidate : ndarray of bool, shape (rows,)
        Which items may be recommended.
    target : int
        Row of the event's item.
    """

    position: int
    items: ItemModel
    tables: Tables
    recent: NDArray[np.int32]
    candidate: NDArray[np.bool_]
    target: int

    @cached_property
    def apart(self) -> NDArray[np.float32]:
        """The blend's scores and each scorer's own, shape (1 + len(SCORERS), rows)."""
        out = np.zeros((len(_OF_THE_ENGINE), len(self.candidate)), np.float32)
        vector = self.items.embeddings.users(self.recent[None])[0]
        ranking.apart(vector, self.recent, self.candidate, self.tables, out)
        return out


class Contender(Protocol):
    """Gives every item a score for a user at a moment; larger is better."""

    def learn(self, rows: NDArray[np.int32], times: NDArray[np.int64], first: int) -> None:
        """Take note of events that the engine has just learned, in order.

        Parameters
        ----------
        rows : ndarray, shape (m,)
            Rows of their items.
        times : ndarray, shape (m,)
            ms since the epoch.
        first : int
            How many events were learned before.
        """

    def score(self, moment: Moment) -> Scores:
        """Return a score for each row; the array stays the contender's own."""


class _Stateless:
    def learn(self, rows: NDArray[np.int32], times: NDArray[np.int64], first: int) -> None:
        """Learn nothing beside the engine."""


class OfTheEngine(_Stateless):
    """The blend, or one of its scorers alone."""

    def __init__(self, name: str) -> None:
        self._index = _OF_THE_ENGINE.index(name)

    def score(self, moment: Moment) -> Scores:
        """Return what the engine says."""
        own: Scores = moment.apart[self._index]
        return own


class Shuffled(_Stateless):
    """A scorer of the engine that sees the user's recent items in random order: what is lost is what order is worth.

    References
    ----------
    Klenitskiy, Volodkevich, Pembek, Vasilev: Does It Look Sequential? RecSys 2024.
    """

    def __init__(self, name: str, seed: int) -> None:
        self._scorer, self._seed = OfTheEngine(name), seed

    def score(self, moment: Moment) -> Scores:
        """Return what the engine says of the shuffled history."""
        recent = moment.recent.copy()
        length = int((recent != ranking.NONE).sum())
        np.random.default_rng((self._seed, moment.position)).shuffle(recent[:length])
        return self._scorer.score(replace(moment, recent=recent))


class Popular(_Stateless):
    """The engine's decayed counts."""

    def __init__(self, half_life: int) -> None:
        self._half_life = half_life

    def score(self, moment: Moment) -> Scores:
        """Return the counts at one half-life."""
        counts: Scores = moment.items.popularity.counts[: len(moment.candidate), self._half_life]
        return counts


class PopularOfDays:
    """Counts of the events of the last days before the newest event learned."""

    def __init__(self, days: float) -> None:
        self._span = round(days * _DAY_MS)
        self._counts = np.zeros(1024)
        self._held: deque[tuple[int, int]] = deque()

    def learn(self, rows: NDArray[np.int32], times: NDArray[np.int64], first: int) -> None:
        """Count new events, let old ones go."""
        self._counts = _room(self._counts, int(rows.max()) + 1)
        for row, time in zip(rows.tolist(), times.tolist(), strict=True):
            self._counts[row] += 1.0
            self._held.append((time, row))
        oldest = int(times.max()) - self._span
        while self._held and self._held[0][0] <= oldest:
            self._counts[self._held.popleft()[1]] -= 1.0

    def score(self, moment: Moment) -> Scores:
        """Return the counts."""
        self._counts = _room(self._counts, len(moment.candidate))
        return self._counts[: len(moment.candidate)]


class Recency:
    """The item that anybody used last is best."""

    def __init__(self) -> None:
        self._last = np.full(1024, 0.0)

    def learn(self, rows: NDArray[np.int32], times: NDArray[np.int64], first: int) -> None:
        """Remember when each item was used."""
        self._last = _room(self._last, int(rows.max()) + 1)
        self._last[rows] = np.arange(first + 1, first + 1 + len(rows))

    def score(self, moment: Moment) -> Scores:
        """Return the number of the last event of each item."""
        self._last = _room(self._last, len(moment.candidate))
        return self._last[: len(moment.candidate)]


class Random(_Stateless):
    """Any order, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def score(self, moment: Moment) -> Scores:
        """Return random numbers."""
        return np.random.default_rng((self._seed, moment.position)).random(len(moment.candidate))


MODELS = (*_OF_THE_ENGINE, "popularity", "popularity-100", "popularity-7d", "recency", "random")
"""Names for :func:`contender`; a scorer of the engine also with :data:`SHUFFLED` behind it."""
SHUFFLED = ":shuffled"


def contender(name: str, seed: int) -> Contender:
    """Return what competes under a name.

    Raises
    ------
    EvaluationError
        When there is no such name.
    """
    if name in _OF_THE_ENGINE:
        return OfTheEngine(name)
    if of_the_engine(name):
        return Shuffled(name.removesuffix(SHUFFLED), seed)
    match name:
        case "popularity":
            return Popular(POPULAR)
        case "popularity-100":
            return Popular(TRENDING)
        case "popularity-7d":
            return PopularOfDays(7)
        case "recency":
            return Recency()
        case "random":
            return Random(seed)
    raise EvaluationError(f"there is no model {name!r}; there are {', '.join(MODELS)}")


def of_the_engine(name: str) -> bool:
    """Return whether a name is the engine's blend or one of its scorers, shuffled or not."""
    return name.removesuffix(SHUFFLED) in _OF_THE_ENGINE


def _room(counts: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
    return counts if rows <= len(counts) else np.concatenate([counts, np.zeros(rows)])
