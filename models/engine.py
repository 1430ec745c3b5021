"""The recommendation engine: two halves, never changed in one step.

``observe`` changes what we know of users and says what the events teach; ``learn`` folds such lessons into what we know
of items. In the worker the learning log lies between the two; an evaluator calls one after the other. ``rank`` and
``refresh`` only read.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.events import UNDO
from contracts.learning import Lessons
from models import policy, ranking, shared
from models.arrivals import APPLIED, TAUGHT_PER_HOUR, TAUGHT_PER_ITEM
from models.availability import Availability
from models.item_model import ItemModel
from models.labels import CATEGORY, NEVER, Labels
from models.life import Life
from models.observing import WEIGHTS, Batch, Observation, observe
from models.policy import Policy
from models.ranking import Lists, Ragged
from models.scorers.popularity import POPULAR
from models.similar import similar
from models.users import UserTable
from models.views import Views

__all__ = ["Batch", "Engine", "Observation", "Ranks"]

Had = tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]
"""What users had had, see :meth:`UserTable.seen`."""


@dataclass(slots=True)
class Ranks:
    """Ranks of chosen items before they were learned, ties at their mean: shape (m,), and which events they are of."""

    events: NDArray[np.int64]
    blend: NDArray[np.float64]
    popularity: NDArray[np.float64]


class Engine:
    """The recommendation engine.

    Parameters
    ----------
    seed : int
        Of all random draws.
    resident_users : int
        User states kept in memory.
    rating_users : int
        Rows of the rating model; 0 = no ratings are predicted.
    weights : mapping of str to float, optional
        Event type → how much it counts, over :data:`models.observing.WEIGHTS`.
    rules : Policy, optional
        Of users' lists.
    allow_repeats : bool
        Whether items that a user has had may be recommended to him again.
    rating_slope : float
        How much more a rating one deviation above the mean teaches than one at the mean.
    taught_per_hour, taught_per_item : int
        How many events of a user teach within an hour, in all and about one item; 0 = no limit.
    life : Life, optional
        When items are admitted and when they leave.
    """

    def __init__(
        self,
        seed: int = 0,
        resident_users: int = 100_000,
        rating_users: int = 200_000,
        weights: Mapping[Any, float] | None = None,
        rules: Policy | None = None,
        allow_repeats: bool = False,
        rating_slope: float = 0.0,
        taught_per_hour: int = TAUGHT_PER_HOUR,
        taught_per_item: int = TAUGHT_PER_ITEM,
        life: Life | None = None,
    ) -> None:
        self._seed = seed
        self._policy = rules or Policy()
        self._allow_repeats = allow_repeats
        self.items = ItemModel(seed, rating_users, allow_repeats, rating_slope, life)
        self.users = UserTable(resident_users, taught_per_hour, taught_per_item)
        self.availability = Availability(self.items.catalogue)
        self.labels = Labels(self.items.catalogue)
        self._weights = {**WEIGHTS, **(weights or {}), UNDO: 0.0}

    @property
    def revision(self) -> int:
        """Grows whenever lists made before may differ from lists made now."""
        return 1 + self.items.position + self.availability.changes

    @property
    def views(self) -> Views:
        """The resident users as scoring sees them now."""
        return Views(self.users, self.items)

    def observe(self, batch: Batch) -> Observation:
        """Apply events to their users' states, in order; say what became of each and what they teach."""
        return observe(batch, self.users, self._weights, self._allow_repeats)

    def learn(self, lessons: Lessons, position: int) -> int:
        """Fold a record of the learning log; return how many of its events were new."""
        return self.items.learn(lessons, position)

    def rank(self, observation: Observation, had: Had | None = None) -> Ranks:
        """Rank the items chosen in a batch among all that their users might have chosen, before any of it is learned.

        Scored are events that are a wish, whose user has an earlier event, and whose item was known and is new to him:
        the protocol of the prequential evaluation. What the users had had before each event of the batch may be given,
        for when their states change meanwhile; else it is looked up.
        """
        observed, catalogue = observation.observed, self.items.catalogue
        applied = np.flatnonzero(observed.outcome == APPLIED)
        chosen = (observed.lengths > 0) & (observed.novel | self._allow_repeats) & (observation.weight > 0)
        applied = applied[chosen[applied]]
        targets = catalogue.rows(observation.keys[applied])
        known = (targets >= 0) & (catalogue.events[targets] >= catalogue.admit_after)
        scored, targets = applied[known], targets[known]
        if not len(scored):
            return Ranks(scored, np.zeros(0), np.zeros(0))
        users = self.views.before(observation, scored)
        if had is None:
            seen = self.views.seen(observation.slots[scored], observed.n_seen[scored])
        else:
            keys, starts, counts = had
            seen = Ragged(catalogue.rows(keys), starts[scored], counts[scored])
        popularity = self.items.popularity.counts[: len(catalogue), POPULAR].copy()
        vectors = self.items.embeddings.users(users.recent)
        return Ranks(scored, *ranking.ranks(vectors, users, seen, targets, popularity, self.items.tables()))

    def refresh(self, slots: NDArray[np.int32], n: int, reasons: int, now_ms: NDArray[np.int64] | None = None) -> Lists:
        """Return the top-``n`` lists of resident users with reasons for their first items.

        Who has no history stands where people with his attributes stand. ``now_ms`` is the present by the clock of each
        user's events, see :meth:`UserTable.present`; None = all have just acted. Who has been silent for long gets a
        list for his return.
        """
        users = self.views.now(slots, now_ms)
        vectors = self.views.vectors(slots, users.recent)
        withheld = ~self.shown()
        rules = self._rules(slots, withheld)
        return ranking.top(vectors, users, self.views.seen(slots), withheld, self.items.tables(), rules, n, reasons)

    def popular(self, half_life: int, n: int, among: NDArray[np.int32] | None = None) -> tuple[list[str], list[float]]:
        """Return the ids and scores of the most popular items that may be shown, best first.

        ``half_life`` is a position in :mod:`models.scorers.popularity`; scores are shares of the first.
        ``among`` limits it to some rows.
        """
        return self._named(*shared.popular(self.items.popularity.counts[:, half_life], self._rows_shown(among), n))

    def latest(self, n: int, among: NDArray[np.int32] | None = None) -> tuple[list[str], list[float]]:
        """Return the ids of the newest items that may be shown, newest first, and for each how new it is, 1 … 0.

        An item is as old as it says itself (``created``), else as its first appearance.
        """
        created, appeared = self.labels.created(), self.items.catalogue.appeared[: len(self.items.catalogue)]
        dates = np.where(created == NEVER, appeared, created)
        return self._named(*shared.latest(dates, self._rows_shown(among), n))

    def shown(self) -> NDArray[np.bool_]:
        """Return which rows may be shown, shape (rows,): admitted or introduced, and not withheld."""
        return self.items.catalogue.is_listed() & ~self.availability.withheld()

    def vectors(self, users: Sequence[str]) -> list[tuple[str, NDArray[np.float32]]]:
        """Return the vectors to publish of resident users, (d + 1,): his embedding, and 1 for the item's bias."""
        slots = np.fromiter((self.users.slot(user) for user in users), np.int32, len(users))
        vectors = self.views.vectors(slots, self.views.now(slots).recent)
        ones = np.ones((len(vectors), 1), np.float32)
        return list(zip(users, np.hstack([vectors, ones]), strict=True))

    def item_vector(self, row: int) -> NDArray[np.float32]:
        """Return the vector to publish of an item, (d + 1,): its embedding and its bias."""
        embeddings = self.items.embeddings
        return np.append(embeddings.outputs[row], embeddings.biases[row])

    def similar(self, row: int, n: int) -> tuple[list[str], list[float]]:
        """Return the ids and scores of an item's closest neighbours that may be shown, best first.

        See :mod:`models.similar`; of the item's own category where the policy says so and it has one.
        """
        shown = self.shown()
        if self._policy.similar_in_category:
            categories = self.labels.groups()[CATEGORY]
            shown &= (categories == categories[row]) | (categories[row] < 0)
        outputs = self.items.embeddings.outputs[: len(shown)]
        rows, scores = similar(row, outputs, self.items.pairs, shown, n)
        return self._named(rows, scores)

    def _rows_shown(self, among: NDArray[np.int32] | None) -> NDArray[Any]:
        """Return the rows, or those of ``among``, that may be shown."""
        shown = self.shown()
        return np.flatnonzero(shown) if among is None else among[shown[among]]

    def _named(self, rows: NDArray[Any], scores: NDArray[np.floating]) -> tuple[list[str], list[float]]:
        ids = self.items.catalogue.ids
        return [ids[row] for row in rows.tolist()], np.round(scores, 4).tolist()

    def _rules(self, slots: NDArray[np.int32], withheld: NDArray[np.bool_]) -> policy.Rules:
        items, names = self.items, self.users.names
        salts = np.zeros(len(slots), np.uint64)
        if self._policy.explores:
            salts = policy.salts([names[slot] for slot in slots.tolist()], self._seed, items.position)
        return self._policy.rules(self.labels.groups(), items.catalogue.events[: len(withheld)], withheld, salts)
