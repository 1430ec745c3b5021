"""Item-item cosine, incremental: how many people had both of two items, over what the two alone would make of it.

``score(x) = Σ_k 0.9^k · |people(h_k) ∩ people(x)| / √(|people(h_k)| · |people(x)|)`` over the user's last 20 items h_k.
The counts are exact after every event: each new item of a user is paired with all that he had before.

References
----------
Sarwar, Karypis, Konstan, Riedl: Item-based collaborative filtering. WWW 2001. Papagelis et al.: Incremental
collaborative filtering for highly-scalable recommendation algorithms. ISMIS 2005.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from evaluation.contenders.moment import Learned, Moment, Scores, room
from models.kernel import kernel

RECENT = 20
DECAY = 0.9
_FREE = -1
_FIRST = 8  # slots of an item's first table


class ItemCosine:
    """Online counts of pairs, in one hash table an item; tables grow by doubling, all in one pool.

    Memory grows with the distinct pairs, as it may in an evaluation: a worker's scorer must be bounded.
    """

    def __init__(self) -> None:
        self._had: dict[int, NDArray[np.int32]] = {}  # user → his items, with room behind them
        self._n_had: dict[int, int] = {}
        self._people = np.zeros(1024)  # of each item
        self._start = np.zeros(1024, np.int64)  # of each item's table in the pool
        self._size = np.zeros(1024, np.int64)
        self._used = np.zeros(1024, np.int64)
        self._other = np.full(1 << 16, _FREE, np.int32)
        self._count = np.zeros(1 << 16, np.int32)
        self._pool_used = 0

    def learn(self, events: Learned) -> None:
        """Pair each item that is new to its user with all that he had before."""
        self._make_room(int(events.rows.max()) + 1)
        for user, row in zip(events.users.tolist(), events.rows.tolist(), strict=True):
            n = self._n_had.get(user, 0)
            had = self._had.get(user)
            if had is None:
                had = self._had[user] = np.zeros(_FIRST, np.int32)
            if (had[:n] == row).any():
                continue
            self._pair(row, had[:n])
            self._people[row] += 1.0
            if n == len(had):
                had = self._had[user] = np.concatenate([had, np.zeros(n, np.int32)])
            had[n] = row
            self._n_had[user] = n + 1

    def score(self, moment: Moment) -> Scores:
        """Return the decayed sums of cosines."""
        self._make_room(len(moment.candidate))
        out = np.zeros(len(moment.candidate))
        recent = moment.recent[:RECENT]
        _score(recent, self._start, self._size, self._other, self._count, self._people, out)
        return out

    def counts(self, row: int) -> dict[int, int]:
        """Return how many people had both this item and each other one."""
        table = slice(self._start[row], self._start[row] + self._size[row])
        pairs = zip(self._other[table].tolist(), self._count[table].tolist(), strict=True)
        return {other: count for other, count in pairs if other != _FREE}

    def _pair(self, row: int, others: NDArray[np.int32]) -> None:
        done = 0
        while True:
            done, self._pool_used = _pair(
                row, others, done, self._start, self._size, self._used, self._other, self._count, self._pool_used
            )
            if done == len(others):
                return
            room_for = len(self._other)
            self._other = np.concatenate([self._other, np.full(room_for, _FREE, np.int32)])
            self._count = np.concatenate([self._count, np.zeros(room_for, np.int32)])

    def _make_room(self, rows: int) -> None:
        self._people = room(self._people, rows)
        more = len(self._people) - len(self._start)
        if more:
            empty = np.zeros(more, np.int64)
            self._start, self._size, self._used = (
                np.concatenate([column, empty]) for column in (self._start, self._size, self._used)
            )


@kernel
def _pair(row, others, done, start, size, used, other, count, pool_used):
    """Count one more for ``row`` with each of ``others`` from ``done`` on, both ways; stop when the pool is full."""
    for index in range(done, len(others)):
        for one in (row, np.int64(others[index])):
            # Checked for both before either is counted, so that a pair is counted whole.
            if 2 * (used[one] + 1) > size[one]:
                wanted = max(2 * size[one], _FIRST)
                if pool_used + wanted > len(other):
                    return index, pool_used
                _move(one, wanted, start, size, other, count, pool_used)
                pool_used += wanted
        _add(row, others[index], start, size, used, other, count)
        _add(others[index], row, start, size, used, other, count)
    return len(others), pool_used


@kernel
def _move(row, wanted, start, size, other, count, to):
    old_start, old_size = start[row], size[row]
    start[row], size[row] = to, wanted
    for slot in range(old_start, old_start + old_size):
        if other[slot] != _FREE:
            at = _find(other[slot], to, wanted, other)
            other[at], count[at] = other[slot], count[slot]


@kernel
def _add(row, item, start, size, used, other, count):
    at = _find(item, start[row], size[row], other)
    if other[at] == _FREE:
        other[at] = item
        used[row] += 1
    count[at] += 1


@kernel
def _find(item, start, size, other):
    at = (item * 0x9E3779B1) & (size - 1)
    while other[start + at] != _FREE and other[start + at] != item:
        at = (at + 1) & (size - 1)
    return start + at


@kernel
def _score(recent, start, size, other, count, people, out):
    for k in range(len(recent)):
        h = recent[k]
        if h >= 0 and people[h] > 0:
            weight = DECAY**k / np.sqrt(people[h])
            for slot in range(start[h], start[h] + size[h]):
                if other[slot] != _FREE:
                    out[other[slot]] += weight * count[slot]
    for x in range(len(out)):
        if people[x] > 0:
            out[x] /= np.sqrt(people[x])
