"""Asks the reader for what an answer needs, and makes the answer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from contracts.redis import Keys
from serving.reader import Reader
from serving.recommend import ANY, FALLBACKS, Answer, Recommendation, Source, Wishes, personal, pick, shared
from serving.values import ItemList


@dataclass(frozen=True, slots=True)
class Listing:
    """A list that belongs to no user: an item's neighbours, or what is popular."""

    time: int | None  # when it was made, ms since the epoch; None when there is none yet
    items: list[Recommendation]
    namespace: str = ""


async def for_user(
    reader: Reader,
    user: str,
    wishes: Wishes = ANY,
    namespace: str | None = None,
    fallbacks: Sequence[str] = FALLBACKS,
) -> Answer:
    """Return the user's list, or what everyone is shown while he has none.

    A list that runs short is not filled up: what everybody is shown may hold items that this user has had.

    Raises
    ------
    UnknownNamespace
        When one is named that does not exist.
    """
    keys = await reader.namespace(namespace)
    stored = await reader.user_list(user, keys)
    if stored is None:
        return await answer(reader, keys, await for_all(reader, keys, wishes, fallbacks), wishes)
    made = await answer(reader, keys, [personal(stored)], wishes)
    return Answer(made.stage, stored.version, stored.time, made.items, made.namespace)


async def answer(reader: Reader, keys: Keys, sources: Sequence[Source], wishes: Wishes) -> Answer:
    """Return what may be shown of these sources, as the caller wishes it."""
    held = [Source(source.stage, list(source.items), source.time) for source in sources]
    items = list({entry.item: None for source in held for entry in source.items})
    records = await reader.items(items, keys) if wishes.of_records else {}
    vectors = await reader.item_vectors(items, keys) if wishes.diversity else {}
    # The last element is the item's bias, which says how much it is liked and not what it is like.
    stage, picked = pick(
        held,
        await reader.withheld(items, keys),
        wishes,
        records,
        {item: vector[:-1] for item, vector in vectors.items()},
    )
    time = next((source.time for source in held if source.stage == stage), None)
    return Answer(stage, None, time, picked, keys.namespace)


async def for_all(reader: Reader, keys: Keys, wishes: Wishes, names: Sequence[str] = FALLBACKS) -> list[Source]:
    """Return what a new user is shown: where he wants categories, first what is on their own lists, then the others."""
    found: dict[str, ItemList] = {}
    for category in (*sorted(wishes.categories), None):
        for name, listed in zip(names, await reader.shared(names, category, keys), strict=True):
            if listed is not None:
                before = found.get(name, ItemList([], [], listed.time))
                found[name] = ItemList(before.items + listed.items, before.scores + listed.scores, before.time)
    return [shared(name, found[name]) for name in names if name in found]


async def similar(reader: Reader, item: str, wishes: Wishes = ANY, namespace: str | None = None) -> Listing:
    """Return the item's neighbours, best first."""
    keys = await reader.namespace(namespace)
    return await _listing(reader, keys, await reader.similar(item, keys), wishes)


async def of_everyone(
    reader: Reader, name: str, wishes: Wishes = ANY, category: str | None = None, namespace: str | None = None
) -> Listing:
    """Return a list for everybody, ``popular``, ``trending`` or ``latest``, of all items or of a category."""
    keys = await reader.namespace(namespace)
    (stored,) = await reader.shared([name], category, keys)
    return await _listing(reader, keys, stored, wishes)


async def titles(reader: Reader, items: Collection[str], namespace: str | None = None) -> dict[str, str]:
    """Return the titles of those of the items that have one."""
    keys = await reader.namespace(namespace)
    return {item: record.title for item, record in (await reader.items(items, keys)).items() if record.title}


async def _listing(reader: Reader, keys: Keys, stored: ItemList | None, wishes: Wishes) -> Listing:
    if stored is None:
        return Listing(None, [], keys.namespace)
    entries = map(Recommendation, stored.items, stored.scores)
    made = await answer(reader, keys, [Source("list", entries)], wishes)
    return Listing(stored.time, made.items, keys.namespace)
