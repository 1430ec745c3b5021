"""MovieLens 1M as a stream in which every event refreshes a list.

A worker refreshes a list once per batch, however often its user stands in it. Here all users take turns, always in the
same order, so a user comes again only after everybody else has had an event: no batch holds him twice. A user goes
through his own ratings in their order and then, because most have fewer than the benchmark needs, through those of the
users after him, never the same item twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from contracts.events import Click, Item, Rating
from evaluation.datasets import DatasetError, open_dataset

# Event times: one event per millisecond from here on, so that a user's events follow one another.
_BEGIN_MS = 1_700_000_000_000


class Stream:
    """An endless stream of clicks or ratings, the same at every call.

    Parameters
    ----------
    folder : Path
        MovieLens 1M.

    Raises
    ------
    DatasetError
        When it is not there.
    """

    def __init__(self, folder: Path) -> None:
        dataset = open_dataset(folder)
        histories: dict[str, list[tuple[str, float]]] = {}
        for row in dataset.events():
            if isinstance(row, Rating):
                histories.setdefault(str(row.user), []).append((str(row.item), row.rating))
        if not histories:
            raise DatasetError(f"{folder} holds no ratings")
        self.items: list[Item] = list(dataset.items())
        self._users = list(histories)
        own = list(histories.values())
        self._turns = [_endless(own, position) for position in range(len(own))]
        self._drawn: list[list[tuple[str, float]]] = [[] for _ in own]

    @property
    def users(self) -> int:
        """How many users take turns."""
        return len(self._users)

    def clicks(self, first: int, n: int) -> Iterator[Click]:
        """Yield ``n`` events as clicks, from position ``first`` on."""
        for position in range(first, first + n):
            user, item, _ = self._at(position)
            yield Click(user=user, item=item, time=_BEGIN_MS + position)

    def ratings(self, first: int, n: int) -> Iterator[Rating]:
        """Yield ``n`` events as ratings, from position ``first`` on."""
        for position in range(first, first + n):
            user, item, rating = self._at(position)
            yield Rating(user=user, item=item, rating=rating, time=_BEGIN_MS + position)

    def _at(self, position: int) -> tuple[str, str, float]:
        turn, number = divmod(position, len(self._users))
        drawn = self._drawn[number]
        if turn >= len(drawn):
            drawn.extend(islice(self._turns[number], turn + 1 - len(drawn)))
        return self._users[number], *drawn[turn]


def _endless(histories: list[list[tuple[str, float]]], own: int) -> Iterator[tuple[str, float]]:
    """Yield a user's own history, then those of the users after him without the items that he has had."""
    while True:
        had: set[str] = set()
        for offset in range(len(histories)):
            for item, rating in histories[(own + offset) % len(histories)]:
                if item not in had:
                    had.add(item)
                    yield item, rating
