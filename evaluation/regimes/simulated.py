"""A simulation as a data set: the same rows as from a file."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import cached_property
from pathlib import Path
from urllib.parse import parse_qsl

from contracts.events import Click, Item, Rating
from evaluation.regimes import dense, news, sessions
from evaluation.regimes.world import Size, World
from evaluation.rows import DatasetError

PREFIX = "simulated:"
REGIMES: dict[str, tuple[Callable[[Size, int], World], Size]] = {
    "dense": (dense.dense, dense.SIZE),
    "sessions": (sessions.sessions, sessions.SIZE),
    "news": (news.news, news.SIZE),
}
"""Regime → what makes it, and its size unless another is asked for."""
_NAMES = {"dense": "film", "sessions": "product", "news": "article"}
_LEAST = 10  # users and events


class Simulated:
    """A data set that is made, not read.

    Parameters
    ----------
    regime : str
        One of :data:`REGIMES`.
    size : Size
    seed : int
    """

    files: tuple[Path, ...] = ()

    def __init__(self, regime: str, size: Size, seed: int) -> None:
        self._regime, self._size, self._seed = regime, size, seed
        self.name = f"{PREFIX}{regime}?users={size.users}&events={size.events}&seed={seed}"

    @property
    def size(self) -> int:
        """How many events there are: about as many as were asked for."""
        return len(self._world.user)

    def events(self) -> Iterator[Click | Rating]:
        """Yield the events in the order of time."""
        world, name = self._world, _NAMES[self._regime]
        columns = zip(world.user.tolist(), world.item.tolist(), world.time.tolist(), strict=True)
        if world.rating is None:
            for user, item, time in columns:
                yield Click(f"user{user}", f"{name}{item}", time)
        else:
            for (user, item, time), rating in zip(columns, world.rating.tolist(), strict=True):
                yield Rating(f"user{user}", f"{name}{item}", rating, time)

    def items(self) -> Iterator[Item]:
        """Yield the catalogue, with those items that will only be created while the simulation runs."""
        world, name = self._world, _NAMES[self._regime]
        created = [None] * len(world.topic) if world.created is None else world.created.tolist()
        for row, (title, topic, time) in enumerate(zip(world.titles, world.topic.tolist(), created, strict=True)):
            yield Item(f"{name}{row}", title=title, categories=[f"topic{topic}"], created=time)

    @cached_property
    def _world(self) -> World:
        make, _ = REGIMES[self._regime]
        return make(self._size, self._seed)


def open_simulated(name: str) -> Simulated:
    """Return the simulation of a name.

    Parameters
    ----------
    name : str
        ``simulated:REGIME``, with any of ``users=N``, ``events=N`` and ``seed=N`` behind a question mark.

    Raises
    ------
    DatasetError
        When there is no such regime or option.
    """
    regime, _, query = name.removeprefix(PREFIX).partition("?")
    if regime not in REGIMES:
        raise DatasetError(f"there is no simulation {regime!r}; there are {', '.join(REGIMES)}")
    given = dict(parse_qsl(query, keep_blank_values=True))
    if unknown := [option for option in given if option not in ("users", "events", "seed")]:
        raise DatasetError(f"{name} has an unknown option {unknown[0]!r}; there are users, events and seed")
    size = REGIMES[regime][1]
    try:
        numbers = {option: int(value) for option, value in given.items()}
    except ValueError as error:
        raise DatasetError(f"{name}: users, events and seed are whole numbers") from error
    size = Size(numbers.get("users", size.users), numbers.get("events", size.events))
    if min(size) < _LEAST or numbers.get("seed", 0) < 0:
        raise DatasetError(f"{name}: at least {_LEAST} users and events, and no negative seed")
    return Simulated(regime, size, numbers.get("seed", 0))
