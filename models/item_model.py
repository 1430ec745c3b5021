"""What we know of items: a pure function of the learning log, the same bytes on every worker.

:meth:`ItemModel.learn` folds one record. What a record covers twice, because a worker died between sending it and
saying so, is skipped by the offsets of its sources; random draws are seeded by the record's position in the log. So a
crash, a restart or a second worker changes nothing.
"""

from __future__ import annotations

from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.learning import Lessons
from models.catalogue import Catalogue
from models.combine import Tables, tables
from models.kernel import draw
from models.life import Life
from models.ratings import RatingModel
from models.scorers.cooccurrence import Cooccurrence
from models.scorers.embeddings import Embeddings
from models.scorers.popularity import Popularity

FORMAT = 2
# Ids of items that have left and were not asked for, at most: beyond it the store keeps what it has of the oldest.
_GONE = 100_000


class UnfitModel(Exception):
    """A whole and undamaged state that this worker must not go on from."""


class ItemModel:
    """The fold of the learning log.

    Parameters
    ----------
    seed : int
        Of all random draws; two models with the same seed and the same log are equal.
    rating_users : int
        Rows of the rating model.
    life : Life, optional
        When items are admitted and when they leave.

    Attributes
    ----------
    position : int
        Log offset of the next record to be learned.
    events : int
        Wishes learned.
    gaps : int
        Input offsets that no record covered: an error of whoever wrote the log.
    """

    def __init__(self, seed: int = 0, rating_users: int = 200_000, life: Life | None = None) -> None:
        self._seed = seed
        self._life = life or Life()
        self.position = 0
        self.events = 0
        self.gaps = 0
        self.catalogue = Catalogue(self._life.admit_after)
        capacity = self.catalogue.capacity
        self.popularity = Popularity(capacity)
        self.pairs = Cooccurrence(capacity)
        self.embeddings = Embeddings(capacity)
        self.ratings = RatingModel(rating_users, seed)
        self._learned: dict[tuple[str, str, int], int] = {}  # source → its last offset learned
        self._touched: set[int] = set()
        self._gone: dict[str, None] = {}

    def learn(self, lessons: Lessons, position: int) -> int:
        """Fold one record; return how many of its events were new wishes.

        What is no wish, because it weighs nothing, gives its item a row and changes nothing else.

        Parameters
        ----------
        lessons : Lessons
            The record.
        position : int
            Its offset in the log; one that was learned before is skipped whole.
        """
        if position < self.position:
            return 0
        self.position = position + 1
        clock, ticks = self.catalogue.clock, self.catalogue.ticks
        introduced = self._admit(lessons.introduced)
        self.catalogue.introduced[introduced] = True
        self.catalogue.settle(introduced)
        rows_of_items = self._admit(lessons.items)
        fresh, wished = self._fresh(lessons), lessons.weight > 0
        self.catalogue.use(rows_of_items[lessons.item[fresh]], lessons.time[fresh], wished[fresh])
        self.catalogue.settle(rows_of_items)
        fresh &= wished
        n = int(fresh.sum())
        if n:
            self._fold(lessons, rows_of_items[lessons.item], fresh, position)
            self.events += n
        self._release(self._life.over(self.catalogue, clock, ticks))
        return n

    def tables(self) -> Tables:
        """Return the arrays that scoring reads."""
        return tables(self.catalogue, self.embeddings, self.pairs)

    def touched(self, n: int) -> list[int]:
        """Return up to ``n`` rows that were learned from since they were last returned here."""
        return [self._touched.pop() for _ in range(min(n, len(self._touched)))]

    def gone(self, n: int) -> list[str]:
        """Return up to ``n`` ids of items that have left, each once, but for those that came back."""
        gone = list(islice(self._gone, n))
        for item in gone:
            del self._gone[item]
        return [item for item in gone if self.catalogue.row(item) < 0]

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint must hold, copied, so that it can be written while learning goes on."""
        rows = len(self.catalogue)
        return {
            "format": FORMAT,
            "seed": self._seed,
            "position": self.position,
            "events": self.events,
            "gaps": self.gaps,
            "learned": [[*source, last] for source, last in self._learned.items()],
            "catalogue": self.catalogue.state(),
            "popularity": self.popularity.state(rows),
            "pairs": self.pairs.state(rows),
            "embeddings": self.embeddings.state(rows),
            "ratings": self.ratings.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over :meth:`state`.

        Raises
        ------
        UnfitModel
            When the state is of another format, or was learned with another seed.
        """
        if state["format"] != FORMAT:
            raise UnfitModel(f"a model of format {state['format']}, this version reads {FORMAT}")
        if state["seed"] != self._seed:
            raise UnfitModel(f"a model learned with seed {state['seed']}, the settings say seed {self._seed}")
        self.position, self.events, self.gaps = state["position"], state["events"], state["gaps"]
        self._learned = {(topic, topic_id, partition): last for topic, topic_id, partition, last in state["learned"]}
        self.catalogue.restore(state["catalogue"])
        self._grow()
        self.popularity.restore(state["popularity"])
        self.pairs.restore(state["pairs"])
        self.embeddings.restore(state["embeddings"])
        self.ratings.restore(state["ratings"])

    def _admit(self, items: list[str]) -> NDArray[np.int32]:
        catalogue, serial = self.catalogue, self.catalogue.serial
        rows = catalogue.admit(items)
        if catalogue.serial > serial:
            self._grow()
            new = np.unique(rows[catalogue.assigned[rows] >= serial])
            for stretch in np.split(new, np.flatnonzero(np.diff(new) > 1) + 1):
                first, last = int(stretch[0]), int(stretch[-1])
                self.embeddings.start(first, catalogue.keys[first : last + 1], self._seed)
        return rows

    def _release(self, rows: NDArray[np.int32]) -> None:
        """Forget all that was learned of some items; their rows are as if they had never been used."""
        if not len(rows):
            return
        self._gone |= dict.fromkeys(self.catalogue.release(rows))
        for item in list(islice(self._gone, max(0, len(self._gone) - _GONE))):
            del self._gone[item]
        self.popularity.counts[rows] = 0.0
        self.pairs.release(rows)
        self.embeddings.release(rows)
        self.ratings.release(rows)
        self._touched.difference_update(rows.tolist())

    def _grow(self) -> None:
        capacity = self.catalogue.capacity
        if capacity > len(self.embeddings.biases):
            self.popularity.grow(capacity)
            self.pairs.grow(capacity)
            self.embeddings.grow(capacity)

    def _fresh(self, lessons: Lessons) -> NDArray[np.bool_]:
        """Return which events were not learned before, and note the record's sources as learned."""
        floors = np.zeros(max(1, len(lessons.sources)), np.int64)
        for index, source in enumerate(lessons.sources):
            last = self._learned.get(source.name)
            if last is None:
                # A log may begin in the middle of a topic, after its oldest messages were deleted.
                last = source.first - 1
            self.gaps += max(0, source.first - last - 1)
            floors[index] = last
            self._learned[source.name] = max(last, source.last)
        return np.asarray(lessons.offset > floors[lessons.source])

    def _fold(self, lessons: Lessons, rows: NDArray[np.int32], fresh: NDArray[np.bool_], position: int) -> None:
        lengths = lessons.lengths.astype(np.int64)
        history = self.catalogue.rows(lessons.history)
        rating, rater = lessons.rating, lessons.rater
        weights = lessons.weight
        if not fresh.all():
            history = history[np.repeat(fresh, lengths)]
            rows, lengths, weights = rows[fresh], lengths[fresh], weights[fresh]
            rating, rater = rating[fresh], rater[fresh]
        starts = np.zeros(len(rows) + 1, np.int64)
        np.cumsum(lengths, out=starts[1:])
        known_at = self.catalogue.count(rows)
        seed = int(draw(np.uint64(self._seed), np.uint64(position)))
        self.popularity.learn(rows, weights)
        self.pairs.learn(rows, weights, history, starts, seed)
        self.embeddings.learn(rows, weights, history, starts, self.catalogue.known, known_at, seed)
        for event in np.flatnonzero(~np.isnan(rating)):
            self.ratings.learn(int(rater[event]), int(rows[event]), float(rating[event]))
        self._touched.update(rows.tolist())
