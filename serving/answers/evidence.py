"""Why an item stands on a user's list, or why it does not: in numbers, and in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from serving.reading.values import ItemList, UserList

NEAR = 5  # related items that are named


@dataclass(frozen=True, slots=True)
class Taste:
    """What the published vectors say: user · item, beside the items of his list."""

    score: float
    below: int  # items of the list that score lower
    of: int  # items of the list that have a vector


@dataclass(frozen=True, slots=True)
class Near:
    """An item that goes with the one in question, and what it is to the user."""

    item: str
    score: float  # how closely, 0 … 1
    rank: int | None  # on his list, from 1; None = one of his earlier items that the list rests on


@dataclass(frozen=True, slots=True)
class Evidence:
    """What the store knows of a user and an item.

    Attributes
    ----------
    rank : int or None
        The item's place on his list, from 1.
    score, rating : float or None
        As on the list.
    reasons : list of str
        As on the list; empty beyond the first items.
    had : bool
        Whether it is one of the earlier items that reasons of his list name.
    length : int
        Of his list; 0 = he has none.
    taste : Taste or None
        ``None`` where a vector is missing.
    near : list of Near
        Closest first.
    """

    rank: int | None
    score: float | None
    rating: float | None
    reasons: list[str]
    had: bool
    length: int
    taste: Taste | None
    near: list[Near] = field(default_factory=list)


def evidence(
    item: str,
    stored: UserList | None,
    neighbours: ItemList | None,
    user: NDArray[np.float32] | None,
    vectors: Mapping[str, NDArray[np.float32]],
) -> Evidence:
    """Put together what is known.

    Parameters
    ----------
    item : str
    stored : UserList or None
        The user's list.
    neighbours : ItemList or None
        Of the item.
    user : ndarray of float32, shape (d,), or None
        His published vector.
    vectors : mapping of str to ndarray of float32, shape (d,)
        Of the item and of the items of the list.
    """
    listed = stored.items if stored is not None else []
    reasons = stored.reasons if stored is not None else []
    ratings = (stored.ratings or []) if stored is not None else []
    grounds = {ground for reason in reasons for ground in reason[1:]}
    place = listed.index(item) if item in listed else None
    score = rating = None
    if place is not None and stored is not None:
        score = stored.scores[place] if place < len(stored.scores) else None
        rating = ratings[place] if place < len(ratings) else None
    return Evidence(
        rank=None if place is None else place + 1,
        score=score,
        rating=rating,
        reasons=reasons[place] if place is not None and place < len(reasons) else [],
        had=item in grounds,
        length=len(listed),
        taste=_taste(item, listed, user, vectors),
        near=_near(listed, grounds, neighbours),
    )


def _taste(
    item: str, listed: list[str], user: NDArray[np.float32] | None, vectors: Mapping[str, NDArray[np.float32]]
) -> Taste | None:
    if user is None or item not in vectors or vectors[item].shape != user.shape:
        return None
    score = float(user @ vectors[item])
    others = [vectors[other] for other in listed if other != item and other in vectors]
    scores = [float(user @ vector) for vector in others if vector.shape == user.shape]
    return Taste(round(score, 4), sum(other < score for other in scores), len(scores)) if np.isfinite(score) else None


def _near(listed: list[str], grounds: set[str], neighbours: ItemList | None) -> list[Near]:
    if neighbours is None:
        return []
    ranks = {item: place + 1 for place, item in reversed(list(enumerate(listed)))}
    pairs = zip(neighbours.items, neighbours.scores, strict=False)
    # What he has had says more than what he has merely been offered.
    related = [
        Near(item, score, None if item in grounds else ranks[item])
        for item, score in pairs
        if item in grounds or item in ranks
    ]
    return sorted(related, key=lambda near: near.rank is not None)[:NEAR]
