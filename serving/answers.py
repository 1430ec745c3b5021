"""Asks the reader for what an answer needs, and makes the answer."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from serving.reader import Reader
from serving.recommend import FALLBACKS, Answer, recommend
from serving.values import ItemList


@dataclass(frozen=True, slots=True)
class Scored:
    """One item of a list that belongs to no user."""

    item: str
    score: float


@dataclass(frozen=True, slots=True)
class Listing:
    """A list that belongs to no user: an item's neighbours, or what is popular."""

    time: int | None  # when it was made, ms since the epoch; null when there is none yet
    items: list[Scored]


async def for_user(reader: Reader, user: str, n: int, exclude: Collection[str] = ()) -> Answer:
    """Return the user's list, or what everyone is shown while he has none; see :func:`recommend`."""
    stored = await reader.user_list(user)
    if stored is not None:
        return recommend(stored, {}, exclude, await reader.withheld(stored.items), n)
    shared = await reader.shared(FALLBACKS)
    fallbacks = {name: listed for name, listed in zip(FALLBACKS, shared, strict=True) if listed is not None}
    withheld = await reader.withheld([item for listed in fallbacks.values() for item in listed.items])
    return recommend(None, fallbacks, exclude, withheld, n)


async def similar(reader: Reader, item: str, n: int, exclude: Collection[str] = ()) -> Listing:
    """Return the item's neighbours, best first, without those excluded or withheld."""
    return await _listing(reader, await reader.similar(item), n, exclude)


async def popular(reader: Reader, n: int, exclude: Collection[str] = ()) -> Listing:
    """Return what is popular, best first, without what is excluded or withheld."""
    (stored,) = await reader.shared(["popular"])
    return await _listing(reader, stored, n, exclude)


async def titles(reader: Reader, items: Collection[str]) -> dict[str, str]:
    """Return the titles of those of the items that have one."""
    return {item: record.title for item, record in (await reader.items(items)).items() if record.title}


async def _listing(reader: Reader, stored: ItemList | None, n: int, exclude: Collection[str]) -> Listing:
    if stored is None:
        return Listing(None, [])
    hidden = {*exclude, *await reader.withheld(stored.items)}
    shown = [
        Scored(item, score) for item, score in zip(stored.items, stored.scores, strict=False) if item not in hidden
    ]
    return Listing(stored.time, shown[:n])
