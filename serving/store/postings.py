"""Items' records in the store, and the index by which free words find them.

Of every term of content there is a sorted set of the items that have it. Which terms an item had before follows from
the record that stands there, so nothing more need be kept of it: what changes is taken out and put in, and only then
the record is replaced.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import msgspec
import orjson

from contracts.events import Item
from contracts.redis import Keys
from contracts.terms import indexed
from serving.store.fence import Command
from serving.store.scatter import values

SEARCH_TERMS = 32
_MEMBERS = 500  # of one command; a script takes no more than some thousand words
_CONTENT = ("text", "vector")


class Page(NamedTuple):
    """An item's record as it stands in the store."""

    item: str
    shown: bytes  # JSON: what pages show of it
    content: bytes | None  # JSON: the rest, None where there is none
    withheld: bool


def page(item: Item, withheld: bool) -> Page:
    """Return an item's record as it stands in the store."""
    fields = msgspec.to_builtins(item)
    content = {name: fields.pop(name) for name in _CONTENT if name in fields}
    return Page(item.item, orjson.dumps(fields), orjson.dumps(content) if content else None, withheld)


def record(shown: bytes, content: bytes | None) -> dict[str, Any]:
    """Return the fields that :func:`page` has parted."""
    return {**orjson.loads(shown), **(orjson.loads(content) if content else {})}


class Postings:
    """Says how the index changes with items' records.

    Parameters
    ----------
    client : redis.Redis
    keys : Keys
    most : int
        Terms of an item, at most.
    """

    def __init__(self, client: Any, keys: Keys, most: int) -> None:
        self._client, self._keys, self._most = client, keys, most

    def changes(self, pages: Sequence[Page]) -> list[Command]:
        """Return the commands that bring the index up to date with these records, which are not written yet."""
        added: dict[int, list[Any]] = {}
        removed: dict[int, list[Any]] = {}
        for page, before in zip(pages, self._before(pages), strict=True):
            now = self._terms(page.shown, page.content)
            for term, strength in now.items():
                if before.get(term) != strength:
                    added.setdefault(term, []).extend((strength, page.item))
            for term in before.keys() - now.keys():
                removed.setdefault(term, []).append(page.item)
        return self._commands("ZADD", added, 2) + self._commands("ZREM", removed, 1)

    def _before(self, pages: Sequence[Page]) -> list[dict[int, float]]:
        if not self._most or not pages:
            return [{} for _ in pages]
        keys = self._keys
        shown = values(self._client, [keys.item(page.item) for page in pages])
        content = values(self._client, [keys.content(page.item) for page in pages])
        return [self._terms(page, rest) if page else {} for page, rest in zip(shown, content, strict=True)]

    def _terms(self, shown: bytes, content: bytes | None) -> dict[int, float]:
        if not self._most:
            return {}
        try:
            return indexed(msgspec.convert(record(shown, content), Item), self._most)
        except (msgspec.ValidationError, orjson.JSONDecodeError):
            return {}  # none of ours: it is about to be replaced

    def _commands(self, name: str, words: dict[int, list[Any]], size: int) -> list[Command]:
        step = _MEMBERS * size
        return [
            (name, self._keys.term(term), *own[start : start + step])
            for term, own in words.items()
            for start in range(0, len(own), step)
        ]
