"""Asks the reader for what an answer needs, and makes the answer."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from contracts.redis import Keys
from serving.lists.candidates import ordered
from serving.lists.recommend import ANY, FALLBACKS, TEXT, Answer, Recommendation, Source, Wishes, personal, pick, shared
from serving.lists.session import session
from serving.reading.reader import Reader
from serving.reading.values import ItemList
from serving.search.lexicon import Lexicon
from serving.search.search import search


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


async def for_guest(
    reader: Reader,
    recent: Sequence[str],
    wishes: Wishes = ANY,
    namespace: str | None = None,
    fallbacks: Sequence[str] = FALLBACKS,
) -> Answer:
    """Return what goes with a guest's recent items, newest last, and then what everyone is shown; none of these."""
    keys = await reader.namespace(namespace)
    near = session(recent, await reader.neighbours(recent, keys))
    hidden = replace(wishes, exclude=wishes.exclude | frozenset(recent))
    return await answer(reader, keys, [near, *await for_all(reader, keys, wishes, fallbacks)], hidden)


async def for_text(
    reader: Reader,
    lexicon: Lexicon,
    text: str,
    wishes: Wishes = ANY,
    namespace: str | None = None,
    fallbacks: Sequence[str] = FALLBACKS,
) -> Answer:
    """Return what fits free words, and then what everyone is shown."""
    keys = await reader.namespace(namespace)
    found = await search(reader, keys, text, lexicon)
    fitting = Source(TEXT, [item for item, _ in found], [score for _, score in found])
    return await answer(reader, keys, [fitting, *await for_all(reader, keys, wishes, fallbacks)], wishes)


async def of_candidates(
    reader: Reader,
    candidates: Sequence[str],
    user: str | None = None,
    recent: Sequence[str] = (),
    wishes: Wishes = ANY,
    namespace: str | None = None,
) -> Answer:
    """Return a caller's candidates in the order in which they suit a user, or a guest's recent items."""
    keys = await reader.namespace(namespace)
    if user is None:
        near = session(recent, await reader.neighbours(recent, keys))
        return await answer(reader, keys, [ordered(candidates, near)], wishes)
    stored = await reader.user_list(user, keys)
    own = personal(stored) if stored is not None else None
    vector = await reader.user_vector(user, keys)
    vectors = await reader.item_vectors(list(dict.fromkeys(candidates)), keys) if vector is not None else {}
    made = await answer(reader, keys, [ordered(candidates, own, vector, vectors)], wishes)
    return made if stored is None else Answer(made.stage, stored.version, stored.time, made.items, made.namespace)


async def answer(reader: Reader, keys: Keys, sources: Sequence[Source], wishes: Wishes) -> Answer:
    """Return what may be shown of these sources, as the caller wishes it."""
    items = list({item: None for source in sources for item in source.items})
    records = await reader.items(items, keys) if wishes.of_records else {}
    vectors = await reader.item_vectors(items, keys) if wishes.diversity else {}
    # The last element is the item's bias, which says how much it is liked and not what it is like.
    directions = {item: vector[:-1] for item, vector in vectors.items()}
    stage, picked = pick(sources, await reader.withheld(items, keys), wishes, records, directions)
    time = next((source.time for source in sources if source.stage == stage), None)
    return Answer(stage, None, time, picked, keys.namespace)


async def for_all(reader: Reader, keys: Keys, wishes: Wishes, names: Sequence[str] = FALLBACKS) -> list[Source]:
    """Return what a new user is shown: where he wants categories, first what is on their own lists, then the others."""
    found: dict[str, ItemList] = {}
    wanted = [(name, category) for category in (*sorted(wishes.categories), None) for name in names]
    for (name, _), listed in zip(wanted, await reader.shared_of(wanted, keys), strict=True):
        if listed is not None:
            before = found.get(name)
            found[name] = listed if before is None else _after(before, listed)
    return [shared(name, found[name]) for name in names if name in found]


def _after(before: ItemList, listed: ItemList) -> ItemList:
    return ItemList(before.items + listed.items, before.scores + listed.scores, before.time)


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
    made = await answer(reader, keys, [shared("list", stored, reasons=())], wishes)
    return Listing(stored.time, made.items, keys.namespace)
