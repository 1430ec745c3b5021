"""What needs no learning to recommend: counts at several half-lives or of some days, recency, and chance."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from evaluation.contenders.moment import Learned, Moment, Scores, Stateless, room

_DAY_MS = 24 * 3600 * 1000
_ROWS = 1024  # to begin with


class Popular(Stateless):
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
        self._counts = np.zeros(_ROWS)
        self._held: deque[tuple[int, int]] = deque()

    def learn(self, events: Learned) -> None:
        """Count new events, let old ones go."""
        self._counts = room(self._counts, int(events.rows.max()) + 1)
        for row, time in zip(events.rows.tolist(), events.times.tolist(), strict=True):
            self._counts[row] += 1.0
            self._held.append((time, row))
        oldest = int(events.times.max()) - self._span
        while self._held and self._held[0][0] <= oldest:
            self._counts[self._held.popleft()[1]] -= 1.0

    def score(self, moment: Moment) -> Scores:
        """Return the counts."""
        self._counts = room(self._counts, len(moment.candidate))
        return self._counts[: len(moment.candidate)]


class Recency:
    """The item that anybody used last is best."""

    def __init__(self) -> None:
        self._last = np.zeros(_ROWS)

    def learn(self, events: Learned) -> None:
        """Remember when each item was used."""
        self._last = room(self._last, int(events.rows.max()) + 1)
        self._last[events.rows] = np.arange(events.first + 1, events.first + 1 + len(events.rows))

    def score(self, moment: Moment) -> Scores:
        """Return the number of the last event of each item."""
        self._last = room(self._last, len(moment.candidate))
        return self._last[: len(moment.candidate)]


class RepeatRecency(Stateless):
    """The items that the user has had, the more often and the more recently the better: for repeats only.

    An item's score is the sum of the inverse places of the user's events with it, his newest event at place 1.

    References
    ----------
    Anderson, Kumar, Tomkins, Vassilvitskii: The Dynamics of Repeat Consumption. WWW 2014 (weights by a power of the
    age in events, section 4).
    """

    def score(self, moment: Moment) -> Scores:
        """Return the sums, 0 for what the user has not had lately."""
        places = np.flatnonzero(moment.recent >= 0)
        rows = moment.recent[places]
        sums: NDArray[np.float64] = np.bincount(rows, 1.0 / (1.0 + places), len(moment.candidate)).astype(np.float64)
        return sums


class Random(Stateless):
    """Any order, the same for the same seed."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def score(self, moment: Moment) -> Scores:
        """Return random numbers."""
        scores: NDArray[np.float64] = np.random.default_rng((self._seed, moment.position)).random(len(moment.candidate))
        return scores
