"""Visitors with hidden tastes who see their lists and click: a closed loop, in which one can watch the lists learn.

Items lie in a latent space in clusters, as genres do, with Zipf popularity. A visitor's taste is a point in that space
which drifts. At each visit he is shown the head of his list and clicks on one of its items, more likely on one that
fits his taste or stands high, or he leaves it and clicks on something elsewhere in the catalogue.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from contracts.events import Click, Item

SHOWN = 10
"""Items of a list that a visitor sees."""

_GENRES = (
    "action", "adventure", "animation", "comedy", "crime", "documentary",
    "drama", "family", "fantasy", "horror", "romance", "western",
)  # fmt: skip
_DIMENSIONS = 16  # more than genres, so that these are nearly orthogonal
_SPREAD = 0.5  # length of what tells an item from its genre, or a visitor from the genre that he likes best
_TASTE = 6.0  # how much more likely an item right at the taste is than one across to it: e^6
_ZIPF = 0.8  # exponent of popularity; catalogues of films and shops lie between 0.6 and 1.2
_PLACE = 0.5  # exponent of the place in the list: the tenth is looked at a third as often as the first
_ELSEWHERE = 500.0  # weight of leaving the list: about half of the visits when every item on it fits
_DRIFT = 0.02  # length of a taste's step at each visit: after a few hundred it is another taste
_REMEMBERED = 100  # clicks of a visitor after which he may want the same item again


class Page(NamedTuple):
    """What a visitor is shown."""

    version: str | None  # of the list, which a click on it names; None when there is no list
    items: Sequence[str]  # best first


class Simulation:
    """An endless data set: the same for the same seed and the same lists.

    Parameters
    ----------
    page : callable
        User → what he is shown; asked once for each visit. An empty page is filled with random items.
    users, items : int
        How many visitors and items there are; at least one and two.
    seed : int
    """

    name = "simulation"
    files: tuple[Path, ...] = ()
    size = None

    def __init__(self, page: Callable[[str], Page], users: int = 1000, items: int = 2000, seed: int = 0) -> None:
        self._page = page
        self._random = np.random.default_rng(seed)
        genres = _unit(self._random.normal(size=(len(_GENRES), _DIMENSIONS)))
        self._genre = self._random.integers(len(_GENRES), size=items)
        self._items = _unit(genres[self._genre] + self._spread(items))
        self._popularity = self._random.permutation(np.arange(1, items + 1) ** -_ZIPF)
        self._tastes = _unit(genres[self._random.integers(len(_GENRES), size=users)] + self._spread(users))
        self._clicked = np.full((users, min(_REMEMBERED, items // 2)), -1)  # rings of the last items
        self._visits = np.zeros(users, np.int64)
        self._ids = [f"film{number}" for number in range(1, items + 1)]
        self._rows = {item: row for row, item in enumerate(self._ids)}
        self.from_list = bytearray()
        """Of each click so far: 1 when it was on a list, 0 when it was elsewhere."""

    def items(self) -> Iterator[Item]:
        """Yield the catalogue."""
        for row, item in enumerate(self._ids):
            genre = _GENRES[self._genre[row]]
            yield Item(item, title=f"Film {row + 1} ({genre})", categories=[genre])

    def events(self) -> Iterator[Click]:
        """Yield one click for each visit, without end."""
        while True:
            visitor = int(self._random.integers(len(self._tastes)))
            user = f"visitor{visitor + 1}"
            page = self._page(user)
            wants = self._wants(visitor)
            row = self._choose(page, wants)
            listed = row is not None and page.version is not None
            row = self._pick(self._popularity * wants) if row is None else row
            self._remember(visitor, row)
            self.from_list.append(listed)
            yield Click(user, self._ids[row], list_id=page.version if listed else None)

    def click_through(self, parts: int = 10) -> list[float]:
        """Return the share of clicks that were on lists, for each of so many equal parts of the run."""
        stretches = np.array_split(np.frombuffer(self.from_list, np.uint8), parts)
        return [float(stretch.mean()) for stretch in stretches if len(stretch)]

    def _wants(self, visitor: int) -> NDArray[np.float64]:
        """Return how much a visitor is drawn to each item, shape (items,)."""
        wants: NDArray[np.float64] = np.exp(_TASTE * (self._items @ self._tastes[visitor]))
        clicked = self._clicked[visitor]
        wants[clicked[clicked >= 0]] = 0.0
        return wants

    def _choose(self, page: Page, wants: NDArray[np.float64]) -> int | None:
        """Return which item of the page is clicked, None for none of them."""
        rows = [self._rows[item] for item in page.items[:SHOWN] if item in self._rows]
        if not rows:
            rows = self._random.integers(len(self._ids), size=SHOWN).tolist()
        seen = np.arange(1, len(rows) + 1) ** -_PLACE
        place = self._pick(np.append(wants[rows] * seen, _ELSEWHERE))
        return rows[place] if place < len(rows) else None

    def _pick(self, weights: NDArray[np.float64]) -> int:
        reach = np.cumsum(weights)
        return int(np.searchsorted(reach, self._random.random() * reach[-1], side="right"))

    def _remember(self, visitor: int, row: int) -> None:
        ring = self._clicked[visitor]
        ring[self._visits[visitor] % len(ring)] = row
        self._visits[visitor] += 1
        step = self._random.normal(scale=_DRIFT / _DIMENSIONS**0.5, size=_DIMENSIONS)
        self._tastes[visitor] = _unit(self._tastes[visitor] + step)

    def _spread(self, count: int) -> NDArray[np.float64]:
        return self._random.normal(scale=_SPREAD / _DIMENSIONS**0.5, size=(count, _DIMENSIONS))


def _unit(vectors: NDArray[np.float64]) -> NDArray[np.float64]:
    return np.asarray(vectors / np.linalg.norm(vectors, axis=-1, keepdims=True))
