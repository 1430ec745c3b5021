"""From stored lists to an answer: what may be shown, best first. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from serving.lists.diversity import diversified
from serving.reading.values import ItemList, ItemRecord, UserList

PERSONAL = "personal"
SESSION = "session"
TEXT = "text"
# What is shown to a user who has no list, in this order unless the settings say otherwise: on all four sets of real
# events `popular` predicts better than `trending`, in simulated news it is the other way round (docs/results.md).
FALLBACKS = ("popular", "trending", "latest")
EMPTY = "empty"


@dataclass(frozen=True, slots=True)
class Recommendation:
    """One item of an answer."""

    item: str
    score: float  # comparable within one list only
    reasons: list[str] = field(default_factory=list)  # the scorer, or the shared list, then the user's earlier items
    rating: float | None = None  # predicted


@dataclass(frozen=True, slots=True)
class Wishes:
    """What a caller wants of an answer; what a list does not hold is not made up for.

    Attributes
    ----------
    n, offset : int
        At most so many items, after so many that would have come first.
    exclude : frozenset of str
        Items that he does not want.
    categories : frozenset of str
        Only items of one of these, or of all of these; empty = any item.
    all_categories : bool
    per_category, per_brand : int
        Items of one category (an item's first) or brand from the first item on, at most; 0 = any number.
    diversity : float
        See :func:`serving.lists.diversity.diversified`; 0 = in the order of the list.
    """

    n: int = 10
    offset: int = 0
    exclude: frozenset[str] = frozenset()
    categories: frozenset[str] = frozenset()
    all_categories: bool = False
    per_category: int = 0
    per_brand: int = 0
    diversity: float = 0.0

    @property
    def of_records(self) -> bool:
        """Whether something is wished that needs to be known of the items."""
        return bool(self.categories or self.per_category or self.per_brand)


ANY = Wishes()


@dataclass(frozen=True, slots=True)
class Source:
    """Where items may come from: a stage, and its items, best first.

    Attributes
    ----------
    stage : str
    items : sequence of str
    scores : sequence of float
        Of the same length.
    reasons : sequence of list of str, or None
        Of the first items; ``None`` = that they stand in this list, ``[stage]``.
    ratings : sequence of float
        Of the first items.
    time : int or None
        When the list was made, ms since the epoch.
    """

    stage: str
    items: Sequence[str]
    scores: Sequence[float]
    reasons: Sequence[list[str]] | None = None
    ratings: Sequence[float] = ()
    time: int | None = None

    def entry(self, place: int) -> Recommendation:
        """Return the item at a place as it is shown."""
        rating = self.ratings[place] if place < len(self.ratings) else None
        return Recommendation(self.items[place], self.scores[place], self._reasons(place), rating)

    def _reasons(self, place: int) -> list[str]:
        if self.reasons is None:
            return [self.stage]
        return self.reasons[place] if place < len(self.reasons) else []


@dataclass(frozen=True, slots=True)
class Answer:
    """What a user is shown."""

    stage: str  # where the first item comes from: personal, session, popular, trending, latest; "empty" without any
    version: str | None  # of the user's own list: the list id that clicks and impressions may name
    time: int | None  # when the list was made that is at the front, ms since the epoch
    items: list[Recommendation]
    namespace: str = ""


def personal(stored: UserList) -> Source:
    """Return a user's own list as a source."""
    length = min(len(stored.items), len(stored.scores))
    items = stored.items[:length]
    return Source(PERSONAL, items, stored.scores, stored.reasons, stored.ratings or (), stored.time)


def shared(name: str, stored: ItemList, reasons: Sequence[list[str]] | None = None) -> Source:
    """Return a list for everybody as a source."""
    length = min(len(stored.items), len(stored.scores))
    return Source(name, stored.items[:length], stored.scores, reasons, time=stored.time)


def pick(
    sources: Iterable[Source],
    withheld: Collection[str],
    wishes: Wishes,
    records: Mapping[str, ItemRecord] | None = None,
    vectors: Mapping[str, NDArray[np.float32]] | None = None,
) -> tuple[str, list[Recommendation]]:
    """Pick the items that may be shown, as the caller wishes them.

    Parameters
    ----------
    sources : iterable of Source
        In this order; what stands in an earlier one is not taken from a later one.
    withheld : collection of str
        Items that nobody may be shown.
    wishes : Wishes
    records : mapping of str to ItemRecord, optional
        What is known of the items, where ``wishes.of_records``; an item that is not among them has no category and no
        brand.
    vectors : mapping of str to ndarray, optional
        Of the items, where diversity is wished; one that is not among them is unlike all others.

    Returns
    -------
    str
        The stage of the first item; ``"empty"`` when there is none.
    list of Recommendation
        Without duplicates, and without any item that is excluded or withheld.
    """
    fitting = _Fitting(wishes, records or {})
    offers = _ordered(_allowed(sources, withheld, fitting), wishes.diversity, vectors or {})
    picked = list(islice(filter(fitting.take, offers), wishes.offset, wishes.offset + wishes.n))
    return (picked[0].source.stage if picked else EMPTY), [offer.source.entry(offer.place) for offer in picked]


class _Offer(NamedTuple):
    source: Source
    place: int
    item: str


def _allowed(sources: Iterable[Source], withheld: Collection[str], fitting: _Fitting) -> Iterator[_Offer]:
    used = {*fitting.wishes.exclude, *withheld}
    for source in sources:
        for place, item in enumerate(source.items):
            if item not in used and fitting.of_category(item):
                used.add(item)
                yield _Offer(source, place, item)


def _ordered(
    offers: Iterator[_Offer], diversity: float, vectors: Mapping[str, NDArray[np.float32]]
) -> Iterable[_Offer]:
    if not diversity:
        return offers
    among = list(offers)
    order = diversified(_relevance(among), [vectors.get(offer.item) for offer in among], diversity)
    return (among[place] for place in order)


def _relevance(offers: Sequence[_Offer]) -> NDArray[np.float32]:
    """Return how well each item fits, 1 … 0: by its score, or by its place where several lists' scores meet."""
    if len({id(offer.source) for offer in offers}) > 1:
        return np.linspace(1.0, 0.0, len(offers), dtype=np.float32)
    scores = np.array([offer.source.scores[offer.place] for offer in offers], np.float32)
    reach = np.ptp(scores) if len(scores) else 0.0
    return (scores - scores.min()) / reach if reach > 0.0 else np.ones(len(scores), np.float32)


class _Fitting:
    """Which items fit what is wished, given those taken before."""

    def __init__(self, wishes: Wishes, records: Mapping[str, ItemRecord]) -> None:
        self.wishes, self._records = wishes, records
        self._taken: Counter[tuple[str, str]] = Counter()

    def of_category(self, item: str) -> bool:
        """Return whether an item is of the categories that are wished."""
        wanted = self.wishes.categories
        if not wanted:
            return True
        own = self._record(item).categories
        return wanted.issubset(own) if self.wishes.all_categories else not wanted.isdisjoint(own)

    def take(self, offer: _Offer) -> bool:
        """Take an item if there may be one more of its category and its brand; return whether it did."""
        wishes = self.wishes
        if not (wishes.per_category or wishes.per_brand):
            return True
        record = self._record(offer.item)
        groups = []
        if wishes.per_category and record.categories:
            groups.append((("category", record.categories[0]), wishes.per_category))
        if wishes.per_brand and record.brand is not None:
            groups.append((("brand", record.brand), wishes.per_brand))
        if any(self._taken[group] >= limit for group, limit in groups):
            return False
        self._taken.update(group for group, _ in groups)
        return True

    def _record(self, item: str) -> ItemRecord:
        return self._records.get(item) or ItemRecord(item)
