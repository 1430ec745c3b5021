"""From stored lists to an answer: what may be shown, best first. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from serving.values import ItemList, ItemRecord, UserList

PERSONAL = "personal"
# What is shown to a user who has no list, in this order.
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
    """What a caller wants of an answer beside its length; what a list does not hold is not made up for."""

    categories: frozenset[str] = frozenset()  # only items of one of these; empty = any item
    per_category: int = 0  # items of one category (an item's first), at most; 0 = any number
    per_brand: int = 0

    def __bool__(self) -> bool:
        return bool(self.categories or self.per_category or self.per_brand)


ANY = Wishes()


@dataclass(frozen=True, slots=True)
class Answer:
    """What a user is shown."""

    stage: str  # where the first item comes from: personal, popular, trending, latest; empty when there is none
    version: str | None  # of the user's own list: the list id that clicks and impressions may name
    time: int | None  # when that list was made, ms since the epoch
    items: list[Recommendation]


def recommend(
    stored: UserList | None,
    fallbacks: Mapping[str, ItemList],
    exclude: Collection[str],
    withheld: Collection[str],
    n: int,
    wishes: Wishes = ANY,
    records: Mapping[str, ItemRecord] | None = None,
) -> Answer:
    """Pick the first ``n`` items that may be shown: from the user's list, or from the fallbacks while he has none.

    A list that runs short is not filled up: what everybody is shown may hold items that this user has had.

    Parameters
    ----------
    stored : UserList or None
        The user's own list; ``None`` for a new user.
    fallbacks : mapping of name to ItemList
        What is shown to a new user, in this order.
    exclude : collection of str
        Items that the caller does not want.
    withheld : collection of str
        Items that nobody may be shown.
    n : int
        At most so many items.
    wishes : Wishes
        Of which categories, and how many of one category or brand.
    records : mapping of str to ItemRecord, optional
        What is known of the items, where anything is wished; an item that is not among them has no category and no
        brand.

    Returns
    -------
    Answer
        Without duplicates, and without any item of ``exclude`` or ``withheld``.
    """
    used = {*exclude, *withheld}
    picked: list[Recommendation] = []
    fitting = _Fitting(wishes, records or {})
    stage = EMPTY
    for source, candidate in _candidates(stored, fallbacks):
        if len(picked) == n:
            break
        if candidate.item not in used and fitting.take(candidate.item):
            used.add(candidate.item)
            picked.append(candidate)
            stage = source if stage == EMPTY else stage
    if stored is None:
        return Answer(stage, None, None, picked)
    return Answer(stage, stored.version, stored.time, picked)


class _Fitting:
    """Which items fit what is wished, given those taken before."""

    def __init__(self, wishes: Wishes, records: Mapping[str, ItemRecord]) -> None:
        self._wishes, self._records = wishes, records
        self._taken: Counter[tuple[str, str]] = Counter()

    def take(self, item: str) -> bool:
        """Take an item if it fits; return whether it did."""
        wishes = self._wishes
        if not wishes:
            return True
        record = self._records.get(item) or ItemRecord(item)
        if wishes.categories and wishes.categories.isdisjoint(record.categories):
            return False
        groups = []
        if wishes.per_category and record.categories:
            groups.append((("category", record.categories[0]), wishes.per_category))
        if wishes.per_brand and record.brand is not None:
            groups.append((("brand", record.brand), wishes.per_brand))
        if any(self._taken[group] >= limit for group, limit in groups):
            return False
        self._taken.update(group for group, _ in groups)
        return True


def _candidates(stored: UserList | None, fallbacks: Mapping[str, ItemList]) -> Iterator[tuple[str, Recommendation]]:
    if stored is not None:
        reasons, ratings = stored.reasons, stored.ratings or []
        for i, (item, score) in enumerate(zip(stored.items, stored.scores, strict=False)):
            yield (
                PERSONAL,
                Recommendation(
                    item,
                    score,
                    reasons[i] if i < len(reasons) else [],
                    ratings[i] if i < len(ratings) else None,
                ),
            )
        return
    for name, shared in fallbacks.items():
        for item, score in zip(shared.items, shared.scores, strict=False):
            yield name, Recommendation(item, score, [name])
