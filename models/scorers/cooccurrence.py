"""Co-occurrence: which items people had shortly after, or before, which other items.

Each item has a small hash table of neighbours. A neighbour's entry counts how often it came after the item and how
often before it; a pair at distance k counts 1/k, in integer units of 1/2520 (divisible by 1 … 10) so that sums do not
depend on order. Three scores follow, each ``Σ_k w_k · √count(h_k, x) / √total(h_k)`` over the user's last ten items
h_k: *followed* (directed counts, w_k = 1/k), *together* (symmetric, w_k = 1/k), and *opinion* (symmetric, w_k = o_k / k
with the user's opinion o_k of the item, so that what resembles the disliked sinks).

A table starts with 8 places and doubles up to 512. An entry lies within 8 places of its hash; when these are taken and
the table may not grow, the smallest of them gives way and the newcomer inherits its counts (space-saving). So memory is
bounded, frequent neighbours survive, and nothing is drawn at random.

References
----------
Metwally, Agrawal, El Abbadi: Efficient Computation of Frequent and Top-k Elements in Data Streams. ICDT 2005.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import RowArrays
from models.kernel import grown, inline, kernel

WINDOW = 10
UNITS = 2520
MOST = 512
"""Neighbours of an item, at most."""
_LEAST = 8
_REACH = 8
_SIZES = 7  # 8, 16 … 512
_FULL = 2**31 - 1  # counts stay there
# What one event can need at most: each of its pairs makes a table grow, twice over.
_HEADROOM = 2 * WINDOW * 2 * MOST


class Pairs(NamedTuple):
    """Co-occurrence as the kernels take it, see :class:`Cooccurrence`."""

    starts: NDArray[np.int64]
    rooms: NDArray[np.int32]
    totals: NDArray[np.int64]
    neighbours: NDArray[np.int32]
    after: NDArray[np.int32]
    before: NDArray[np.int32]
    pool: NDArray[np.int64]


class Cooccurrence(RowArrays):
    """Neighbours of every item.

    Attributes
    ----------
    starts, rooms : ndarray of int64 and of int32, shape (capacity,)
        Each item's table: its first place in the pool, and how many places it has; 0 = none yet.
    totals : ndarray of int64, shape (capacity, 2)
        Sum over all neighbours ever: after, and after + before, in units of 1/2520.
    neighbours, after, before : ndarray of int32, shape (places,)
        The pool. An entry's neighbour, and how often it came after and before the item. An empty place holds the item's
        own row, which is never its neighbour, and counts 0.
    pool : ndarray of int64, shape (1 + sizes,)
        End of the used part; for each size of table the first one given back, -1 = none, each naming the next.
    """

    by_row = ("starts", "rooms", "totals")
    whole = ("pool",)

    def __init__(self, capacity: int) -> None:
        self.starts = np.zeros(capacity, np.int64)
        self.rooms = np.zeros(capacity, np.int32)
        self.totals = np.zeros((capacity, 2), np.int64)
        self.neighbours, self.after, self.before = (np.zeros(4 * _HEADROOM, np.int32) for _ in range(3))
        self.pool = np.full(1 + _SIZES, -1, np.int64)
        self.pool[0] = 0

    def arrays(self, rows: int) -> Pairs:
        """Return the arrays of the rows in use."""
        return Pairs(
            self.starts[:rows], self.rooms[:rows], self.totals[:rows],
            self.neighbours, self.after, self.before, self.pool,
        )  # fmt: skip

    def make_room(self) -> bool:
        """Make the pool larger when one more event might not fit; return whether its arrays are new ones."""
        places = len(self.neighbours)
        while self.pool[0] + _HEADROOM > len(self.neighbours):
            self._resize(2 * len(self.neighbours))
        return len(self.neighbours) > places

    def neighbours_of(self, row: int) -> tuple[NDArray[np.int32], NDArray[np.float64]]:
        """Return the rows of an item's neighbours, and the cosine of the counts with each, in no order."""
        table = slice(self.starts[row], self.starts[row] + self.rooms[row])
        counts = self.after[table].astype(np.float64) + self.before[table]
        rows = self.neighbours[table][counts > 0]
        norms = np.sqrt(np.maximum(self.totals[row, 1], 1) * np.maximum(self.totals[rows, 1], 1).astype(np.float64))
        return rows, counts[counts > 0] / norms

    def release(self, rows: NDArray[np.int32]) -> None:
        """Forget these rows, also as neighbours of others; what they added to the others' totals stays."""
        gone = np.zeros(len(self.rooms), np.bool_)
        gone[rows] = True
        _release(gone, self.arrays(len(self.rooms)))
        super().release(rows)

    def state(self, rows: int) -> dict[str, Any]:
        """Return what a checkpoint must hold of the first ``rows`` rows."""
        end = self.pool[0]
        pool = {name: getattr(self, name)[:end].copy() for name in ("neighbours", "after", "before")}
        return super().state(rows) | pool

    def restore(self, state: dict[str, Any]) -> None:
        """Take over :meth:`state`."""
        super().restore(state)
        self.make_room()
        for name in ("neighbours", "after", "before"):
            getattr(self, name)[: self.pool[0]] = state[name]

    def _resize(self, places: int) -> None:
        for name in ("neighbours", "after", "before"):
            setattr(self, name, grown(getattr(self, name), places))


@inline
def has_room(p):
    """Return whether one more event certainly fits into the pool; else :meth:`Cooccurrence.make_room`."""
    return p.pool[0] + _HEADROOM <= len(p.neighbours)


@inline
def learn(row, weight, recent, p):
    """Learn one event: ``recent`` holds the rows of its user's earlier items, newest first, -1 where unknown."""
    after, before = p.after, p.before
    for k in range(min(WINDOW, len(recent))):
        earlier = recent[k]
        units = np.int32(weight * (UNITS // (k + 1)))
        if earlier < 0 or earlier == row or units <= 0:
            continue
        place = _place(earlier, row, p.starts[earlier], p.rooms[earlier], p.neighbours, after, before)
        if place < 0:
            place = _place_made(earlier, row, p)
        p.neighbours[place] = row
        after[place] = min(after[place], _FULL - units) + units
        place = _place(row, earlier, p.starts[row], p.rooms[row], p.neighbours, after, before)
        if place < 0:
            place = _place_made(row, earlier, p)
        p.neighbours[place] = earlier
        before[place] = min(before[place], _FULL - units) + units
        p.totals[earlier, 0] += units
        p.totals[earlier, 1] += units
        p.totals[row, 1] += units


@inline
def _place_made(row, neighbour, p):
    """Let an item's table grow until a neighbour's entry has a place there; return it."""
    place = np.int64(-1)
    while place < 0:
        _enlarge(row, p)
        place = _place_of(row, neighbour, p)
    return place


@inline
def _place_of(row, neighbour, p):
    return _place(row, neighbour, p.starts[row], p.rooms[row], p.neighbours, p.after, p.before)


@inline
def find(row, neighbour, p):
    """Return where a neighbour's entry stands in the pool, -1 where an item has none of it."""
    room = p.rooms[row]
    first = _first(neighbour)
    for step in range(min(_REACH, room)):
        place = p.starts[row] + ((first + step) & np.int64(room - 1))
        if p.neighbours[place] == row:
            return np.int64(-1)
        if p.neighbours[place] == neighbour:
            return place
    return np.int64(-1)


@inline
def _first(neighbour):
    return (np.int64(neighbour) * np.int64(0x9E3779B1)) >> np.int64(15)


@inline
def _place(row, neighbour, start, room, neighbours, after, before):
    """Return where a neighbour's entry stands or may stand, -1 where the table must grow first.

    It takes only the arrays that it reads: each that is handed on is counted, twenty times an event.
    """
    if room == 0:
        return np.int64(-1)
    first = _first(neighbour)
    weakest, least = start, np.int64(2) ** 62
    for step in range(_REACH):
        place = start + ((first + step) & np.int64(room - 1))
        if neighbours[place] == neighbour or neighbours[place] == row:
            return place
        count = np.int64(after[place]) + np.int64(before[place])
        if count < least:
            weakest, least = place, count
    return weakest if room == MOST else np.int64(-1)


@inline
def _enlarge(row, p):
    """Give an item a table twice as large."""
    old, start = p.rooms[row], p.starts[row]
    room = max(2 * old, _LEAST)
    p.starts[row] = _take(room, p)
    p.rooms[row] = room
    for place in range(p.starts[row], p.starts[row] + room):
        p.neighbours[place] = row
        p.after[place] = p.before[place] = 0
    for place in range(start, start + old):
        neighbour = p.neighbours[place]
        if neighbour != row:
            # Of the few that find no place at once in a table half empty, the smaller counts are given up.
            at = _place_of(row, neighbour, p)
            if at >= 0:
                p.neighbours[at] = neighbour
                p.after[at] += p.after[place]
                p.before[at] += p.before[place]
    if old > 0:
        _give_back(start, old, p)


@inline
def _size(room):
    size = 0
    while (_LEAST << size) < room:
        size += 1
    return size


@inline
def _take(room, p):
    size = 1 + _size(room)
    start = p.pool[size]
    if start >= 0:
        p.pool[size] = np.int64(p.neighbours[start]) * _LEAST
        return start
    start = p.pool[0]
    p.pool[0] = start + room
    return start


@inline
def _give_back(start, room, p):
    size = 1 + _size(room)
    # Tables start at multiples of 8, so the next one's number fits where a neighbour stood.
    p.neighbours[start] = np.int32(p.pool[size] // _LEAST)
    p.pool[size] = start


@kernel
def _release(gone, p):
    neighbours, after, before = np.empty(MOST, np.int32), np.empty(MOST, np.int32), np.empty(MOST, np.int32)
    for row in range(len(gone)):
        room, start = p.rooms[row], p.starts[row]
        if gone[row]:
            if room > 0:
                _give_back(start, room, p)
            continue
        found = False
        for place in range(start, start + room):
            found |= gone[p.neighbours[place]]
        if not found:
            continue
        # The others are put in anew: an entry is looked for from its hash to the next empty place.
        for entry in range(room):
            place = start + entry
            neighbours[entry], after[entry], before[entry] = p.neighbours[place], p.after[place], p.before[place]
            p.neighbours[place] = row
            p.after[place] = p.before[place] = 0
        for entry in range(room):
            if neighbours[entry] != row and not gone[neighbours[entry]]:
                at = _place_of(row, neighbours[entry], p)
                if at >= 0:
                    p.neighbours[at] = neighbours[entry]
                    p.after[at] += after[entry]
                    p.before[at] += before[entry]


@inline
def score(recent, p, followed, together):
    """Add a user's scores to ``followed`` and ``together``, zeroed float32 arrays over all rows.

    ``recent`` holds the rows of his earlier items, newest first, -1 where unknown.
    """
    # Square roots first, in a loop that vectorises, because adding to scattered places does not.
    after_terms = np.empty(MOST, np.float32)
    both_terms = np.empty(MOST, np.float32)
    for k in range(min(WINDOW, len(recent))):
        row = recent[k]
        if row < 0:
            continue
        after_scale, both_scale = scales(row, k, p)
        table = slice(p.starts[row], p.starts[row] + p.rooms[row])
        neighbours, after, before = p.neighbours[table], p.after[table], p.before[table]
        for entry in range(len(neighbours)):
            n_after = np.float32(after[entry])
            after_terms[entry] = after_scale * np.sqrt(n_after)
            both_terms[entry] = both_scale * np.sqrt(n_after + np.float32(before[entry]))
        for entry in range(len(neighbours)):
            x = np.uint32(neighbours[entry])
            followed[x] += after_terms[entry]
            together[x] += both_terms[entry]


@inline
def score_opinion(judged, opinion, p, out):
    """Add what a user thinks of the neighbourhoods of his earlier items to ``out``, zeroed.

    ``judged`` holds the rows of the items that he has an opinion of, -1 elsewhere, ``opinion`` what it is.
    """
    for k in range(min(WINDOW, len(judged))):
        row = judged[k]
        if row < 0:
            continue
        scale = opinion[k] * scales(row, k, p)[1]
        for place in range(p.starts[row], p.starts[row] + p.rooms[row]):
            count = np.float32(p.after[place]) + np.float32(p.before[place])
            out[p.neighbours[place]] += scale * np.sqrt(count)


@inline
def scales(row, k, p):
    """Return what the roots of the k-th latest item's counts are multiplied with: directed, symmetric."""
    lag = np.float32(1.0) / np.float32(k + 1)
    after = lag / np.sqrt(np.float32(max(p.totals[row, 0], UNITS)))
    both = lag / np.sqrt(np.float32(max(p.totals[row, 1], UNITS)))
    return after, both
