"""From stored lists to an answer: what may be shown, best first. Pure."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field

from serving.values import ItemList, UserList

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

    Returns
    -------
    Answer
        Without duplicates, and without any item of ``exclude`` or ``withheld``.
    """
    used = {*exclude, *withheld}
    picked: list[Recommendation] = []
    stage = EMPTY
    for source, candidate in _candidates(stored, fallbacks):
        if len(picked) == n:
            break
        if candidate.item not in used:
            used.add(candidate.item)
            picked.append(candidate)
            stage = source if stage == EMPTY else stage
    if stored is None:
        return Answer(stage, None, None, picked)
    return Answer(stage, stored.version, stored.time, picked)


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
