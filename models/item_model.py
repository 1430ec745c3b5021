"""What we know of items: a pure function of the learning log, the same bytes on every worker.

:meth:`ItemModel.learn` folds one record. What a record covers twice, because a worker died between sending it and
saying so, is skipped by the offsets of its sources; random draws are seeded by the record's position in the log. So a
crash, a restart or a second worker changes nothing.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.learning import Forgotten, Lessons
from models.arrays import RowArrays
from models.attributes import Attributes
from models.catalogue import Catalogue
from models.combine import CONTEXTS, SCORERS, Tables
from models.combiner import Combiner
from models.content.items import ItemContent
from models.drift import NAMES, Drift
from models.fold import Events, Model, fold
from models.life import Life
from models.opinions import split
from models.ratings import RatingModel
from models.scorers.audiences import Audiences
from models.scorers.cooccurrence import Cooccurrence
from models.scorers.embeddings import Embeddings
from models.scorers.popularity import Popularity
from models.scorers.recency import Recency
from models.scorers.repeats import Repeats
from models.waiting import Waiting

FORMAT = 4
_NONE = np.zeros(0, np.int64)
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
        Rows of the rating model; 0 = no ratings are predicted.
    allow_repeats : bool
        Whether items that a user has had may be recommended to him again.
    rating_slope : float
        How much more a rating one deviation above the mean teaches than one at the mean.
    life : Life, optional
        When items are admitted and when they leave.

    Attributes
    ----------
    position : int
        Log offset of the next record to be learned.
    gaps : int
        Input offsets that no record covered: an error of whoever wrote the log.
    scale : ndarray of float64, shape (3,)
        Ratings so far, their mean, and the sum of squares around it.
    """

    def __init__(
        self,
        seed: int = 0,
        rating_users: int = 200_000,
        allow_repeats: bool = False,
        rating_slope: float = 0.0,
        life: Life | None = None,
    ) -> None:
        self._seed = seed
        self._life = life or Life()
        self._allow_repeats, self._rating_slope = allow_repeats, np.float32(rating_slope)
        self.position = 0
        self.gaps = 0
        self._learned_events = np.zeros(1, np.int64)
        self.scale = np.zeros(3)
        self.catalogue = Catalogue(self._life.admit_after)
        capacity = self.catalogue.capacity
        self.popularity = Popularity(capacity)
        self.audiences = Audiences(capacity)
        self.recency = Recency(capacity)
        self.repeats = Repeats(capacity)
        self.pairs = Cooccurrence(capacity)
        self.embeddings = Embeddings(capacity)
        self.combiner = Combiner()
        self.drift = Drift()
        self.content = ItemContent(self.catalogue, self.embeddings, seed)
        self.attributes = Attributes()
        self._rates = rating_users > 0
        self.ratings = RatingModel(rating_users, seed)
        self._learned: dict[tuple[str, str, int], int] = {}  # source → its last offset learned
        self._touched = Waiting()
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
        self._forget(lessons.forgotten)
        clock, ticks = self.catalogue.clock, self.catalogue.ticks
        introduced = self._admit([each.item for each in lessons.introduced])
        self.catalogue.introduced[introduced] = True
        self.catalogue.settle(introduced)
        self.content.put(introduced, lessons.introduced)
        self._touched.add(self.content.placed(introduced))
        serial = self.catalogue.serial
        rows_of_items = self._admit(lessons.items)
        fresh, wished = self._fresh(lessons), lessons.weight > 0
        self.catalogue.use(rows_of_items[lessons.item[fresh]], lessons.time[fresh], wished[fresh])
        self.catalogue.settle(rows_of_items)
        fresh &= wished
        if self.catalogue.serial > serial:
            self._date(serial, rows_of_items[lessons.item], fresh)
        n = int(fresh.sum())
        if n:
            self._fold(lessons, rows_of_items[lessons.item], fresh)
        self._release(self._life.over(self.catalogue, clock, ticks))
        return n

    @property
    def events(self) -> int:
        """Wishes learned."""
        return int(self._learned_events[0])

    def tables(self) -> Tables:
        """Return the arrays that scoring reads."""
        n = len(self.catalogue)
        return Tables(
            self.catalogue.is_known(),
            self.embeddings.arrays(n),
            self.pairs.arrays(n),
            self.popularity.arrays(n),
            self.audiences.arrays(n),
            self.recency.arrays(n),
            self.repeats.arrays(n),
            self.combiner.weights,
            self._allow_repeats,
        )

    def touched(self, n: int) -> list[int]:
        """Return up to ``n`` rows that were learned from, or placed by content, since they were last returned here.

        They come in the order of their numbers, round after round, so that none waits for ever behind busy ones.
        """
        return self._touched.take(n)

    def touch(self, rows: Iterable[int]) -> None:
        """Let rows be returned by :meth:`touched` though nothing has changed them."""
        self._touched.add(np.fromiter(rows, np.int64))

    def scorers(self) -> dict[str, dict[str, Any]]:
        """Return how the scorers and the blend do: live hit rate at 10, alarms of a change, weight by context."""
        report: dict[str, dict[str, Any]] = {
            name: {"hit_rate_at_10": round(float(rate), 4), "alarms": int(alarms)}
            for name, rate, alarms in zip(NAMES, self.drift.rates, self.drift.alarms, strict=True)
        }
        for name, weights in zip(SCORERS, self.combiner.weights.T.tolist(), strict=True):
            report[name]["weights"] = {
                context: round(weight, 3) for context, weight in zip(CONTEXTS, weights, strict=True)
            }
        return report

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
            "gaps": self.gaps,
            "events": self._learned_events.copy(),
            "scale": self.scale.copy(),
            "learned": [[*source, last] for source, last in self._learned.items()],
            "catalogue": self.catalogue.state(),
            **{name: part.state(rows) for name, part in self._parts().items()},
            "content": self.content.state(rows),
            "attributes": self.attributes.state(),
            "combiner": self.combiner.state(rows),
            "drift": self.drift.state(),
            "ratings": self.ratings.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over :meth:`state`.

        Raises
        ------
        UnfitModel
            When the state is of another format, or was learned with another seed.
        """
        if state["format"] not in (3, FORMAT):
            raise UnfitModel(f"a model of format {state['format']}, this version reads {FORMAT}")
        if state["seed"] != self._seed:
            raise UnfitModel(f"a model learned with seed {state['seed']}, the settings say seed {self._seed}")
        self.position, self.gaps = state["position"], state["gaps"]
        self._learned_events, self.scale = state["events"].copy(), state["scale"].copy()
        self._learned = {(topic, topic_id, partition): last for topic, topic_id, partition, last in state["learned"]}
        self.catalogue.restore(state["catalogue"])
        self._grow()
        for name, part in self._parts().items():
            if name in state:  # audiences are in no checkpoint of format 3
                part.restore(state[name])
        self.content.restore(state["content"])
        self.attributes.restore(state["attributes"])
        self.combiner.restore(state["combiner"])
        self.drift.restore(state["drift"])
        self.ratings.restore(state["ratings"])

    def _parts(self) -> dict[str, RowArrays]:
        return {
            "popularity": self.popularity,
            "audiences": self.audiences,
            "recency": self.recency,
            "repeats": self.repeats,
            "pairs": self.pairs,
            "embeddings": self.embeddings,
        }

    def _admit(self, items: list[str]) -> NDArray[np.int32]:
        catalogue, serial = self.catalogue, self.catalogue.serial
        rows = catalogue.admit(items)
        if catalogue.serial > serial:
            self._grow()
            new = np.unique(rows[catalogue.assigned[rows] >= serial])
            for stretch in np.split(new, np.flatnonzero(np.diff(new) > 1) + 1):
                first, end = int(stretch[0]), int(stretch[-1]) + 1
                self.embeddings.start(first, catalogue.keys[first:end], self._seed)
            self.recency.start(new, np.zeros(1, np.int64))
        return rows

    def _date(self, serial: int, rows: NDArray[np.int32], fresh: NDArray[np.bool_]) -> None:
        """Let the rows given since ``serial`` appear with their first events, wherever the record begins."""
        used, events = np.unique(rows, return_index=True)
        new = self.catalogue.assigned[used] >= serial
        self.recency.start(used[new], (np.cumsum(fresh) - fresh)[events[new]])

    def _release(self, rows: NDArray[np.int32]) -> None:
        """Forget all that was learned of some items; their rows are as if they had never been used."""
        if not len(rows):
            return
        self._gone |= dict.fromkeys(self.catalogue.release(rows))
        for item in list(islice(self._gone, max(0, len(self._gone) - _GONE))):
            del self._gone[item]
        for part in self._parts().values():
            part.release(rows)
        self.content.release(rows)
        self.ratings.release(rows)
        self._touched.discard(rows)

    def _grow(self) -> None:
        capacity = self.catalogue.capacity
        if capacity > len(self.embeddings.biases):
            for part in self._parts().values():
                part.grow(capacity)
            self.content.grow(capacity)

    def _forget(self, forgotten: list[Forgotten]) -> None:
        """Let people's rows of the rating model go, once for each message that asked for it."""
        for each in forgotten:
            source = each.topic, each.topic_id, each.partition
            if each.offset > self._learned.get(source, -1):
                self._learned[source] = each.offset
                self.ratings.forget(each.rater)

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

    def _fold(self, lessons: Lessons, rows: NDArray[np.int32], fresh: NDArray[np.bool_]) -> None:
        events = self._events(lessons, rows, fresh)
        model = self._model()
        done = 0
        while done < len(events.row):
            done = fold(events, done, model)
            if self.content.examples.enough:
                self.content.learn()
            for rates in self.combiner.watched():
                self.drift.update(rates)
            if self.pairs.make_room():
                model = self._model()
        rated = np.flatnonzero(events.judged) if self._rates else _NONE
        raters = lessons.rater[fresh][rated]
        for event, rater in zip(rated.tolist(), raters.tolist(), strict=True):
            self.ratings.learn(rater, int(events.row[event]), float(events.rating[event]))
        self._touched.add(events.row)

    def _model(self) -> Model:
        return Model(
            np.uint64(self._seed),
            self.tables(),
            self.combiner.arrays(),
            self.scale,
            self._learned_events,
            self.catalogue.events,
            self.catalogue.known,
            self.catalogue.known_count,
            self.catalogue.admit_after,
            self.content.arrays(),
            self.content.examples.arrays(),
            self._rating_slope,
            self.attributes.sums,
            self.attributes.weights,
        )

    def _events(self, lessons: Lessons, rows: NDArray[np.int32], fresh: NDArray[np.bool_]) -> Events:
        lengths, history, value, seen = lessons.lengths.astype(np.int64), lessons.history, lessons.value, lessons.seen
        attributes, of_user = lessons.attributes, lessons.attribute_lengths.astype(np.int64)
        if not fresh.all():
            kept = np.repeat(fresh, lengths)
            lengths, history, value = lengths[fresh], history[kept], value[kept]
            seen = seen[np.repeat(fresh, np.maximum(lessons.had, 0))]
            attributes, of_user = attributes[np.repeat(fresh, of_user)], of_user[fresh]
        judged, rating = split(lessons.rating[fresh])
        judgement, rated = split(value)
        return Events(
            row=rows[fresh],
            weight=lessons.weight[fresh],
            time=lessons.time[fresh],
            gap=lessons.gap[fresh],
            judged=judged,
            rating=rating,
            starts=_starts(lengths),
            history=self.catalogue.rows(history),
            judgement=judgement,
            value=rated,
            had=lessons.had[fresh],
            seen=self.catalogue.rows(seen),
            attributes=np.array(attributes),  # the log's own are read-only, which for a kernel is another type
            attribute_starts=_starts(of_user),
        )


def _starts(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    starts = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=starts[1:])
    return starts
