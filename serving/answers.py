"""Asks the reader for what an answer needs, and makes the answer."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

from contracts.redis import Keys
from serving.reader import Reader
from serving.recommend import ANY, FALLBACKS, Answer, Wishes, recommend
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


async def for_user(reader: Reader, user: str, n: int, exclude: Collection[str] = (), wishes: Wishes = ANY) -> Answer:
    """Return the user's list, or what everyone is shown while he has none; see :func:`recommend`."""
    keys = await reader.namespace()
    stored = await reader.user_list(user, keys)
    fallbacks = await _fallbacks(reader, keys, wishes) if stored is None else {}
    items = stored.items if stored else list({item: None for listed in fallbacks.values() for item in listed.items})
    records = await reader.items(items, keys) if wishes else {}
    return recommend(stored, fallbacks, exclude, await reader.withheld(items, keys), n, wishes, records)


async def _fallbacks(reader: Reader, keys: Keys, wishes: Wishes) -> dict[str, ItemList]:
    """Return what a new user is shown: where he wants categories, first what is on their own lists, then the others."""
    found: dict[str, ItemList] = {}
    for category in (*sorted(wishes.categories), None):
        for name, listed in zip(FALLBACKS, await reader.shared(FALLBACKS, category, keys), strict=True):
            if listed is not None:
                before = found.get(name, ItemList([], [], listed.time))
                found[name] = ItemList(before.items + listed.items, before.scores + listed.scores, before.time)
    return {name: found[name] for name in FALLBACKS if name in found}


async def similar(reader: Reader, item: str, n: int, exclude: Collection[str] = ()) -> Listing:
    """Return the item's neighbours, best first, without those excluded or withheld."""
    keys = await reader.namespace()
    return await _listing(reader, keys, await reader.similar(item, keys), n, exclude)


async def popular(reader: Reader, n: int, exclude: Collection[str] = (), category: str | None = None) -> Listing:
    """Return what is popular, of all items or of a category, best first, without what is excluded or withheld."""
    keys = await reader.namespace()
    (stored,) = await reader.shared(["popular"], category, keys)
    return await _listing(reader, keys, stored, n, exclude)


async def titles(reader: Reader, items: Collection[str]) -> dict[str, str]:
    """Return the titles of those of the items that have one."""
    return {item: record.title for item, record in (await reader.items(items)).items() if record.title}


async def _listing(reader: Reader, keys: Keys, stored: ItemList | None, n: int, exclude: Collection[str]) -> Listing:
    if stored is None:
        return Listing(None, [])
    hidden = {*exclude, *await reader.withheld(stored.items, keys)}
    shown = [
        Scored(item, score) for item, score in zip(stored.items, stored.scores, strict=False) if item not in hidden
    ]
    return Listing(stored.time, shown[:n])
