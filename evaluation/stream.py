"""The stream that a protocol runs on: all events of one or more data sets in one order, as columns."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import xxhash
from numpy.typing import NDArray

from contracts.events import TYPES, UNDO, Click, InvalidEvent, Item, Rating, decode, encode, identity
from evaluation.datasets import Dataset
from evaluation.rows import Dropped

_LATEST_MS = 10**14  # in the year 5138: a later time is a mistake, and must not end all decays
_RATING = TYPES.index("rating")


@dataclass(frozen=True)
class Stream:
    """Events in the order of time; of equal times in the order in which they were read.

    Attributes
    ----------
    name : str
        What it was read from.
    users, items : list of str
        Distinct ids; the columns refer to them by position.
    user, item : ndarray of int32, shape (n,)
    time : ndarray of int64, shape (n,)
        Event time, ms since the epoch. No two events of a user have the same: clocks that tell only seconds or minutes
        would make the engine take some for messages that were sent twice, so these follow a millisecond later.
    rating : ndarray of float64, shape (n,)
        NaN where there is none.
    kind : ndarray of uint8, shape (n,)
        Position in :data:`contracts.events.TYPES`.
    left_out : dict
        Why rows are not in the stream → how many: those that no worker could use, records that are no events,
        ``"duplicate"`` (the same event again) and ``"repeat"`` (the user's previous item again).
    categories : dict
        Item → its categories, where they are known.
    content : dict
        Item → its record, where there is one.
    """

    name: str
    users: list[str]
    items: list[str]
    user: NDArray[np.int32]
    item: NDArray[np.int32]
    time: NDArray[np.int64]
    rating: NDArray[np.float64]
    kind: NDArray[np.uint8]
    left_out: dict[str, int]
    categories: dict[str, list[str]]
    content: dict[str, Item]

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.user)

    @property
    def hash(self) -> str:
        """A hash of all events: equal streams have equal ones, whatever files they came from."""
        digest = xxhash.xxh3_128()
        for ids in (self.users, self.items):
            digest.update("\n".join(ids).encode())
        for column in (self.user, self.item, self.time, self.rating, self.kind):
            digest.update(column.tobytes())
        return digest.hexdigest()

    def take(self, positions: NDArray[np.integer]) -> Stream:
        """Return the events at these positions, in their order."""
        columns = {name: getattr(self, name)[positions] for name in ("user", "item", "time", "rating", "kind")}
        return replace(self, **columns)

    def events(self, first: int, last: int) -> list[Click | Rating]:
        """Return the events ``first`` … ``last - 1`` as the engine takes them."""
        part = slice(first, last)
        columns = (self.user[part], self.item[part], self.time[part], self.rating[part], self.kind[part])
        users, items = self.users, self.items
        return [
            Rating(users[user], items[item], rating, time)
            if kind == _RATING
            else Click(users[user], items[item], time, TYPES[kind])
            for user, item, time, rating, kind in zip(*(column.tolist() for column in columns), strict=True)
        ]


def read_stream(datasets: Iterable[Dataset], limit: int | None = None) -> Stream:
    """Read data sets into one stream.

    Parameters
    ----------
    datasets : iterable of Dataset
        Their events are merged by time.
    limit : int, optional
        Take only the first so many events.
    """
    datasets = list(datasets)
    columns = _Columns()
    for dataset in datasets:
        columns.read(dataset)
    order = np.argsort(np.frombuffer(columns.time, np.int64), kind="stable")
    stream = Stream(
        name=" + ".join(dataset.name for dataset in datasets),
        users=list(columns.users),
        items=list(columns.items),
        user=np.frombuffer(columns.user, np.int32)[order],
        item=np.frombuffer(columns.item, np.int32)[order],
        time=np.frombuffer(columns.time, np.int64)[order],
        rating=np.frombuffer(columns.rating, np.float64)[order],
        kind=np.frombuffer(columns.kind, np.uint8)[order],
        left_out={},
        categories=columns.categories,
        content=columns.content,
    )
    return _cleaned(stream, np.frombuffer(columns.identity, np.uint64)[order], columns.left_out, limit)


class _Columns:
    """The events of data sets, as they are read."""

    def __init__(self) -> None:
        self.users: dict[str, int] = {}
        self.items: dict[str, int] = {}
        self.user, self.item = array("i"), array("i")
        self.time, self.identity = array("q"), array("Q")
        self.rating, self.kind = array("d"), array("B")
        self.left_out: Counter[str] = Counter()
        self.categories: dict[str, list[str]] = {}
        self.content: dict[str, Item] = {}

    def read(self, dataset: Dataset) -> None:
        time = 0  # an event without a time has that of the one before
        for row in chain(dataset.items(), dataset.events()):
            if isinstance(row, Item):
                self.categories[row.item] = row.categories
                self.content[row.item] = row
            elif isinstance(row, Dropped):
                self.left_out[row.reason] += 1
            elif isinstance(row, Click | Rating):
                row.time = time if row.time is None else row.time
                time = row.time
                self._add(row)
            else:
                self.left_out[type(row).__name__.lower()] += 1

    def _add(self, event: Click | Rating) -> None:
        try:
            decode(type(event), encode(event), event.user.encode(), min(event.time or 0, _LATEST_MS))
        except InvalidEvent as error:
            self.left_out[error.reason] += 1
            return
        if isinstance(event, Click) and event.type == UNDO:
            self.left_out[UNDO] += 1  # what was wished is asked for, whether or not it was regretted
            return
        self.user.append(self.users.setdefault(event.user, len(self.users)))
        self.item.append(self.items.setdefault(event.item, len(self.items)))
        self.time.append(event.time or 0)
        self.identity.append(identity(event))
        if isinstance(event, Rating):
            self.rating.append(event.rating)
            self.kind.append(_RATING)
        else:
            self.rating.append(np.nan)
            self.kind.append(TYPES.index(event.type))


def _cleaned(stream: Stream, identities: NDArray[np.uint64], left_out: Counter[str], limit: int | None) -> Stream:
    """Leave out duplicates, then immediate repeats; what is left has distinct times within each user."""
    first = np.sort(_first_of_each(stream.user, identities))
    left_out["duplicate"] = len(stream) - len(first)
    stream = stream.take(first)
    novel = ~repeats(stream.user, stream.item)
    left_out["repeat"] = int(len(stream) - novel.sum())
    stream = stream.take(np.flatnonzero(novel)[:limit])
    return replace(stream, time=_distinct(stream.user, stream.time), left_out={k: n for k, n in left_out.items() if n})


def _first_of_each(user: NDArray[np.int32], identities: NDArray[np.uint64]) -> NDArray[np.intp]:
    mixed = identities ^ (user.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    return np.unique(mixed, return_index=True)[1]


def repeats(user: NDArray[np.int32], item: NDArray[np.int32]) -> NDArray[np.bool_]:
    """Return which events are of the same item as their user's event before."""
    order = np.argsort(user, kind="stable")
    repeat = np.zeros(len(user), np.bool_)
    same = (user[order][1:] == user[order][:-1]) & (item[order][1:] == item[order][:-1])
    repeat[order[1:]] = same
    return repeat


def _distinct(user: NDArray[np.int32], time: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.fromiter(_after_each_other(user.tolist(), time.tolist()), np.int64, len(time))


def _after_each_other(users: list[int], times: list[int]) -> Iterator[int]:
    last: dict[int, int] = {}
    for user, time in zip(users, times, strict=True):
        last[user] = max(time, last.get(user, -1) + 1)
        yield last[user]
