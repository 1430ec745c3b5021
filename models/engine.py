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
import xxhash
from numpy.typing import NDArray

from contracts.events import NEGATIVE_TYPES, TYPES, UNDO, Click, Rating, identity, item_key
from contracts.learning import HISTORY, Lessons, Source
from models import arrivals as arriving
from models import policy, ranking
from models.arrivals import APPLIED, TAUGHT_PER_HOUR, TAUGHT_PER_ITEM, TOPICS, Arrivals, Observed, opinions
from models.attributes import FEATURES
from models.availability import Availability
from models.combiner import teaches
from models.item_model import ItemModel
from models.labels import CATEGORY, NEVER, Labels
from models.life import Life
from models.policy import Policy
from models.profiles import Profiles, profiles
from models.ranking import Lists, Ragged
from models.scorers.popularity import POPULAR
from models.shared import largest
from models.similar import similar
from models.users import UserTable

_KINDS = {name: position for position, name in enumerate(TYPES)} | {UNDO: arriving.UNDO}
WEIGHTS: Mapping[str, float] = {name: 0.0 if name in NEGATIVE_TYPES else 1.0 for name in TYPES}
"""How much each type of event counts as a wish for its item, unless the settings say otherwise."""
Had = tuple[NDArray[np.uint64], NDArray[np.int64], NDArray[np.int64]]
"""What users had had, see :meth:`UserTable.seen`."""
_LONGEST_S = np.iinfo(np.int32).max
_HAD = 1000  # of what a user has had, so much goes into a lesson; the log must not grow with the zeal of a few


@dataclass(slots=True)
class Batch:
    """Decoded events in the order in which they are to be applied.

    Attributes
    ----------
    events : sequence of Click or Rating
        Valid ones only; their users are resident.
    source : sequence of int
        Position of each in ``sources``.
    offset : sequence of int
        Kafka's offset of each.
    own : sequence of bool
        Whether it came through its user's own partition.
    sources : list of Source
        The stretches of input that the batch covers.
    number : sequence of int or None
        What decides which choices teach the blend: where each stands in a stream that was merged; None = the offsets.
    """

    events: Sequence[Click | Rating]
    source: Sequence[int]
    offset: Sequence[int]
    own: Sequence[bool]
    sources: list[Source]
    number: Sequence[int] | None = None


@dataclass(slots=True)
class Observation:
    """What a batch was.

    Attributes
    ----------
    slots : ndarray of int32, shape (n,)
        The users' slots, event by event.
    observed : Observed
        What became of each event.
    keys : ndarray of uint64, shape (n,)
        The items' keys.
    weight : ndarray of float32, shape (n,)
        How much each counts as a wish for its item.
    gaps : ndarray of int64, shape (n,)
        Seconds since the user's event before, 0 where there is none or it is later.
    lessons : Lessons
        What they teach, for the learning log.
    """

    slots: NDArray[np.int32]
    observed: Observed
    keys: NDArray[np.uint64]
    weight: NDArray[np.float32]
    gaps: NDArray[np.int64]
    lessons: Lessons


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
        Event type → how much it counts, over :data:`WEIGHTS`.
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

    def observe(self, batch: Batch) -> Observation:
        """Apply events to their users' states, in order; say what became of each and what they teach."""
        events = batch.events
        n = len(events)
        keys = np.fromiter((item_key(event.item) for event in events), np.uint64, n)
        names = [event.type if type(event) is Click else "rating" for event in events]
        slots = np.fromiter((self.users.slot(event.user) for event in events), np.int32, n)
        own, offset = np.array(batch.own, np.bool_), np.array(batch.offset, np.int64)
        arrivals = Arrivals(
            slot=slots,
            key=keys,
            identity=np.fromiter((identity(event) for event in events), np.uint64, n),
            time=np.fromiter((event.time for event in events), np.int64, n),
            kind=np.fromiter((_KINDS[name] for name in names), np.uint8, n),
            value=np.fromiter((event.rating if type(event) is Rating else np.nan for event in events), np.float32, n),
            topic=np.fromiter((TOPICS.index("clicks" if type(e) is Click else "ratings") for e in events), np.int8, n),
            offset=np.where(own, offset, -1),
        )
        observed = self.users.apply(arrivals)
        weight = np.fromiter((self._weights[name] for name in names), np.float32, n)
        gaps = _seconds(arrivals.time - observed.times[:, 0], observed.lengths)
        lessons = self._lessons(batch, arrivals, observed, weight, gaps)
        return Observation(slots, observed, keys, weight, gaps, lessons)

    def learn(self, lessons: Lessons, position: int) -> int:
        """Fold a record of the learning log; return how many of its events were new."""
        return self.items.learn(lessons, position)

    def rank(self, observation: Observation, every: int = 1, first: int = 0, had: Had | None = None) -> Ranks:
        """Rank the items chosen in a batch among all that their users might have chosen, before any of it is learned.

        Scored are events that are a wish, whose user has an earlier event, and whose item was known and is new to him:
        the protocol of the prequential evaluation. With ``every`` n only each n-th applied event is, counting from
        ``first``. What the users had had before each event of the batch may be given, for when their states
        change meanwhile; else it is looked up.
        """
        observed, catalogue = observation.observed, self.items.catalogue
        applied = np.flatnonzero(observed.outcome == APPLIED)
        applied = applied[(first + np.arange(len(applied))) % every == 0]
        chosen = (observed.lengths > 0) & (observed.novel | self._allow_repeats) & (observation.weight > 0)
        applied = applied[chosen[applied]]
        targets = catalogue.rows(observation.keys[applied])
        known = (targets >= 0) & (catalogue.events[targets] >= catalogue.admit_after)
        scored, targets = applied[known], targets[known]
        if not len(scored):
            return Ranks(scored, np.zeros(0), np.zeros(0))
        users = self.before(observation, scored)
        if had is None:
            seen = self._seen(observation.slots[scored], observed.n_seen[scored])
        else:
            keys, starts, counts = had
            seen = Ragged(catalogue.rows(keys), starts[scored], counts[scored])
        popularity = self.items.popularity.counts[: len(catalogue), POPULAR].copy()
        vectors = self.items.embeddings.users(users.recent)
        return Ranks(scored, *ranking.ranks(vectors, users, seen, targets, popularity, self.items.tables()))

    def before(self, observation: Observation, events: NDArray[np.int64]) -> Profiles:
        """Return the profiles that the users of some events of a batch had just before these."""
        observed = observation.observed
        return self._profiles(
            observed.history[events],
            observed.lengths[events],
            opinions(observed.kinds[events], observed.values[events]),
            observation.gaps[events],
        )

    def now(self, slots: NDArray[np.int32], now_ms: NDArray[np.int64] | None = None) -> Profiles:
        """Return the profiles of resident users at a moment of each, or at their last events, see :meth:`refresh`."""
        keys, lengths = self.users.recent(slots)
        times, kinds, values = self.users.details(slots)
        gaps = np.zeros(len(slots), np.int64) if now_ms is None else _seconds(now_ms - times[:, 0], lengths)
        return self._profiles(keys, lengths, opinions(kinds, values), gaps)

    def refresh(self, slots: NDArray[np.int32], n: int, reasons: int, now_ms: NDArray[np.int64] | None = None) -> Lists:
        """Return the top-``n`` lists of resident users with reasons for their first items.

        Who has no history stands where people with his attributes stand. ``now_ms`` is the present by the clock of each
        user's events, see :meth:`UserTable.present`; None = all have just acted. Who has been silent for long gets a
        list for his return.
        """
        users = self.now(slots, now_ms)
        vectors = self._vectors(slots, users.recent)
        withheld = ~self.shown()
        rules = self._rules(slots, withheld)
        return ranking.top(vectors, users, self._seen(slots), withheld, self.items.tables(), rules, n, reasons)

    def knows(self, slots: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return for which resident users there is something to make a list from: events, or what his like did."""
        known = self.users.active(slots)
        blank = ~known
        if blank.any():
            _, known[blank] = self.items.attributes.vectors(*self.users.attributes(slots[blank]))
        return known

    def popular(self, half_life: int, n: int, among: NDArray[np.int32] | None = None) -> tuple[list[str], list[float]]:
        """Return the ids and scores of the most popular items that may be shown, best first.

        ``half_life`` is a position in :mod:`models.scorers.popularity`; scores are shares of the first.
        ``among`` limits it to some rows.
        """
        rows = self._rows_shown(among)
        counts = self.items.popularity.counts[rows, half_life]
        best = largest(counts, n)
        best = best[counts[best] > 0.0]
        shares = counts[best] / max(counts[best[0]], 1e-300) if len(best) else counts[best]
        return self._ids(rows[best]), np.round(shares, 4).tolist()

    def latest(self, n: int, among: NDArray[np.int32] | None = None) -> tuple[list[str], list[float]]:
        """Return the ids of the newest items that may be shown, newest first, and for each how new it is, 1 … 0.

        An item is as old as it says itself (``created``), else as its first appearance.
        """
        rows = self._rows_shown(among)[::-1]  # of equally old ones, those that came last first
        created = self.labels.created()[rows]
        best = largest(np.where(created == NEVER, self.items.catalogue.appeared[rows], created), n)
        return self._ids(rows[best]), np.round(1.0 - np.arange(len(best)) / max(n, 1), 4).tolist()

    def shown(self) -> NDArray[np.bool_]:
        """Return which rows may be shown, shape (rows,): admitted or introduced, and not withheld."""
        return self.items.catalogue.is_listed() & ~self.availability.withheld()

    def vectors(self, users: Sequence[str]) -> list[tuple[str, NDArray[np.float32]]]:
        """Return the vectors to publish of resident users, (d + 1,): his embedding, and 1 for the item's bias."""
        slots = np.fromiter((self.users.slot(user) for user in users), np.int32, len(users))
        vectors = self._vectors(slots, self.now(slots).recent)
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
        return self._ids(rows), np.round(scores, 4).tolist()

    def _lessons(
        self,
        batch: Batch,
        arrivals: Arrivals,
        observed: Observed,
        weight: NDArray[np.float32],
        gaps: NDArray[np.int64],
    ) -> Lessons:
        taught = np.flatnonzero(observed.taught)
        events = [batch.events[index] for index in taught.tolist()]
        # Items of events that do not teach too: what stands in a history has a row, wherever batches are cut.
        applied = np.flatnonzero(observed.outcome == APPLIED)
        items = list(dict.fromkeys(batch.events[index].item for index in applied.tolist()))
        position = {item: index for index, item in enumerate(items)}
        lengths = observed.lengths[taught]
        held = np.arange(HISTORY) < lengths[:, None]
        offsets = np.fromiter((batch.offset[index] for index in taught.tolist()), np.int64, len(taught))
        choice = (lengths > 0) & (weight[taught] > 0) & (observed.novel[taught] | self._allow_repeats)
        numbers = offsets if batch.number is None else np.asarray(batch.number, np.int64)[taught]
        choice &= teaches(numbers, gaps[taught])
        seen, counts = self._had(arrivals.slot[taught[choice]], observed.n_seen[taught[choice]])
        had = np.full(len(taught), -1, np.int32)
        had[choice] = counts
        # Nor may what did not teach come into the model as the context of what does.
        heard = observed.heard()[taught][held]
        opinion = opinions(observed.kinds[taught][held], observed.values[taught][held])
        attributes, n_attributes = self.users.attributes(arrivals.slot[taught])
        return Lessons(
            sources=batch.sources,
            items=items,
            introduced=[],
            source=np.fromiter((batch.source[index] for index in taught.tolist()), np.uint8, len(taught)),
            offset=offsets,
            item=np.fromiter((position[event.item] for event in events), np.int32, len(taught)),
            time=arrivals.time[taught],
            gap=gaps[taught].astype(np.int32),
            kind=arrivals.kind[taught],
            weight=weight[taught],
            rating=arrivals.value[taught],
            rater=np.array([rater(e.user) if type(e) is Rating else 0 for e in events], np.uint64),
            lengths=lengths,
            history=np.where(heard, observed.history[taught][held], 0),
            value=np.where(heard, opinion, np.float16(np.nan)),
            had=had,
            seen=seen,
            attribute_lengths=n_attributes,
            attributes=attributes[np.arange(FEATURES) < n_attributes[:, None]],
        )

    def _rows_shown(self, among: NDArray[np.int32] | None) -> NDArray[Any]:
        """Return the rows, or those of ``among``, that may be shown."""
        shown = self.shown()
        return np.flatnonzero(shown) if among is None else among[shown[among]]

    def _ids(self, rows: NDArray[Any]) -> list[str]:
        ids = self.items.catalogue.ids
        return [ids[row] for row in rows.tolist()]

    def _had(self, slots: NDArray[np.int32], n_seen: NDArray[np.int64]) -> tuple[NDArray[np.uint64], NDArray[np.int64]]:
        """Return the keys of what users had had when it was so much, the last ones of more, and how many for each."""
        keys, starts, counts = self.users.seen(slots, n_seen)
        kept = np.minimum(counts, _HAD)
        last = np.arange(len(keys)) - np.repeat(starts, counts) >= np.repeat(counts - kept, counts)
        return keys[last], kept

    def _vectors(self, slots: NDArray[np.int32], recent: NDArray[np.int32]) -> NDArray[np.float32]:
        vectors = self.items.embeddings.users(recent)
        blank = ~self.users.active(slots)
        if blank.any():
            vectors[blank], _ = self.items.attributes.vectors(*self.users.attributes(slots[blank]))
        return vectors

    def _rules(self, slots: NDArray[np.int32], withheld: NDArray[np.bool_]) -> policy.Rules:
        items, names = self.items, self.users.names
        salts = np.zeros(len(slots), np.uint64)
        if self._policy.explores:
            salts = policy.salts([names[slot] for slot in slots.tolist()], self._seed, items.position)
        return self._policy.rules(self.labels.groups(), items.catalogue.events[: len(withheld)], withheld, salts)

    def _profiles(
        self,
        keys: NDArray[np.uint64],
        lengths: NDArray[np.uint8],
        values: NDArray[np.float16],
        gaps: NDArray[np.int64],
    ) -> Profiles:
        rows = self.items.catalogue.rows(keys.reshape(-1)).reshape(keys.shape)
        return profiles(rows, lengths, values, gaps, self.items.scale)

    def _seen(self, slots: NDArray[np.int32], lengths: NDArray[np.int64] | None = None) -> Ragged:
        keys, starts, counts = self.users.seen(slots, lengths)
        return Ragged(self.items.catalogue.rows(keys), starts, counts)


def _seconds(ms: NDArray[np.int64], lengths: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return times in seconds, within what a lesson holds; 0 where there is no history."""
    return np.where(lengths > 0, np.clip(ms // 1000, 0, _LONGEST_S), 0)


def rater(user: str) -> int:
    """Return the hash under which the rating model knows a user."""
    return xxhash.xxh3_64_intdigest(f"rater {user}")
