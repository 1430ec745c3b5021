"""Lists for everybody in their written form: popular, trending and latest, of all items and of each category."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import numpy as np
import orjson
import xxhash
from numpy.typing import NDArray

from models.engine import Engine
from models.scorers.popularity import POPULAR, TRENDING

# Categories whose lists are made in one turn of the event loop, at most; the others wait for the next.
_AT_ONCE = 25
# A list that did not change is written all the same so often, in case that the store has lost it.
_AGAIN_MS = 60_000


class SharedList(NamedTuple):
    """One list as it is to be written."""

    name: str
    category: str | None
    value: bytes


class SharedLists:
    """Makes the lists that belong to no user, and says which of them have changed.

    Parameters
    ----------
    engine : Engine
    length : int
        Of each list.
    categories : int
        How many categories have lists of their own, at most: those with the most items that may be shown.
    """

    def __init__(self, engine: Engine, length: int, categories: int) -> None:
        self._engine, self._length, self._limit = engine, length, categories
        self._written: dict[tuple[str, str | None], tuple[int, int]] = {}  # → digest, time
        self._listed: set[str] = set()  # categories that have lists in the store
        self._chosen: list[str] = []
        self._turn = 0

    def resume(self, categories: Collection[str]) -> None:
        """Begin to write, where an earlier worker has written lists of some categories."""
        self._listed = set(categories)
        self._written.clear()

    def changed(self, now: int) -> list[SharedList]:
        """Return the lists that are not in the store as they are now, ``now`` in ms since the epoch."""
        by_category = self._engine.labels.categories()
        self._choose(by_category)
        due = [self._chosen[(self._turn + k) % len(self._chosen)] for k in range(min(_AT_ONCE, len(self._chosen)))]
        self._turn += len(due)
        self._listed.update(due)
        made = self._make(None, None, now)
        for category in due:
            made += self._make(category, by_category[category], now)
        return made

    def gone(self) -> list[str]:
        """Return the categories whose lists are to be removed from the store, each once."""
        gone = sorted(self._listed - set(self._chosen))
        self._listed.difference_update(gone)
        for category in gone:
            for name in ("popular", "trending", "latest"):
                self._written.pop((name, category), None)
        return gone

    def _choose(self, by_category: dict[str, NDArray[np.int32]]) -> None:
        shown = self._engine.shown()
        ranked = sorted((-int(shown[rows].sum()), name) for name, rows in by_category.items() if shown[rows].any())
        self._chosen = [name for _, name in ranked[: self._limit]]

    def _make(self, category: str | None, among: NDArray[np.int32] | None, now: int) -> list[SharedList]:
        engine, n = self._engine, self._length
        lists = {
            "popular": engine.popular(POPULAR, n, among),
            "trending": engine.popular(TRENDING, n, among),
            "latest": engine.latest(n, among),
        }
        made = []
        for name, (items, scores) in lists.items():
            digest = xxhash.xxh3_64_intdigest(orjson.dumps((items, scores)))
            before, time = self._written.get((name, category), (None, 0))
            if digest != before or abs(now - time) >= _AGAIN_MS:
                self._written[name, category] = digest, now
                made.append(SharedList(name, category, encode_shared(items, scores, now)))
        return made


def encode_shared(items: list[str], scores: list[float], time_ms: int) -> bytes:
    """Return a list that belongs to no user as it stands in the store."""
    return orjson.dumps({"items": items, "scores": scores, "time": time_ms})
