"""Co-occurrence: which items people had shortly after, or before, which other items.

Each item has up to ``SLOTS`` neighbours. A neighbour's slot counts how often it came after the item and how often
before it; a pair at distance k counts 1/k, in integer units of 1/2520 (divisible by 1 … 10) so that sums do not depend
on order. Two scores follow: *followed* (directed) and *together* (symmetric), each
``Σ_k 1/k · √count(h_k, x) / √total(h_k)`` over the user's last ten items h_k.

When all slots of an item are taken, the weakest of eight random ones gives way, and the newcomer inherits its counts
(space-saving), so memory is bounded and frequent neighbours survive.

References
----------
Metwally, Agrawal, El Abbadi: Efficient Computation of Frequent and Top-k Elements in Data Streams. ICDT 2005.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.kernel import draw_below, grown, inline, kernel

WINDOW = 10
UNITS = 2520
SLOTS = 256
_TRIES = 8
_FULL = 2**31 - 1  # counts stay there


class Cooccurrence:
    """Neighbours of every item.

    Attributes
    ----------
    neighbours : ndarray of int32, shape (capacity, SLOTS)
        Row of the neighbour; only the first ``used`` slots count.
    after, before : ndarray of int32, shape (capacity, SLOTS)
        How often the neighbour came after or before the item, in units of 1/2520.
    used : ndarray of int32, shape (capacity,)
        Slots in use.
    totals : ndarray of int64, shape (capacity, 2)
        Sum over all neighbours ever: after, and after + before.
    """

    def __init__(self, capacity: int) -> None:
        self.neighbours = np.zeros((capacity, SLOTS), np.int32)
        self.after = np.zeros((capacity, SLOTS), np.int32)
        self.before = np.zeros((capacity, SLOTS), np.int32)
        self.used = np.zeros(capacity, np.int32)
        self.totals = np.zeros((capacity, 2), np.int64)

    def grow(self, capacity: int) -> None:
        """Make room for ``capacity`` rows."""
        for name in ("neighbours", "after", "before", "used", "totals"):
            setattr(self, name, grown(getattr(self, name), capacity))

    def learn(
        self,
        rows: NDArray[np.int32],
        weights: NDArray[np.float32],
        history: NDArray[np.int32],
        starts: NDArray[np.int64],
        seed: int,
    ) -> None:
        """Learn events in their order.

        Parameters
        ----------
        rows : ndarray, shape (n,)
            The events' items.
        weights : ndarray, shape (n,)
            How much each counts.
        history : ndarray, shape (m,)
            Rows of the users' earlier items, newest first, -1 where unknown.
        starts : ndarray, shape (n + 1,)
            ``history[starts[e]:starts[e + 1]]`` belongs to event e.
        seed : int
            For the choice of slots that give way.
        """
        _learn(
            rows, weights, history, starts, np.uint64(seed),
            self.neighbours, self.after, self.before, self.used, self.totals,
        )  # fmt: skip

    def release(self, rows: NDArray[np.int32]) -> None:
        """Forget these rows, also as neighbours of others; what they added to the others' totals stays."""
        for name in ("neighbours", "after", "before", "used", "totals"):
            getattr(self, name)[rows] = 0
        gone = np.zeros(len(self.used), np.bool_)
        gone[rows] = True
        _drop(gone, self.neighbours, self.after, self.before, self.used)

    def similar(self, row: int, n: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the ``n`` strongest neighbours of a row and their scores, a cosine of the counts: best first."""
        used = self.used[row]
        rows = self.neighbours[row, :used]
        counts = self.after[row, :used].astype(np.float64) + self.before[row, :used]
        norms = np.sqrt(np.maximum(self.totals[row, 1], 1) * np.maximum(self.totals[rows, 1], 1).astype(np.float64))
        scores = counts / norms
        best = np.lexsort((rows, -scores))[:n]
        return rows[best], scores[best].astype(np.float32)

    def state(self, rows: int) -> dict[str, Any]:
        """Return what a checkpoint must hold of the first ``rows`` rows."""
        names = ("neighbours", "after", "before", "used", "totals")
        return {name: getattr(self, name)[:rows].copy() for name in names}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over :meth:`state`."""
        for name, value in state.items():
            getattr(self, name)[: len(value)] = value


@inline
def _add(row, neighbour, units, seed, neighbours, counts, others, used):
    n = used[row]
    for slot in range(n):
        if neighbours[row, slot] == neighbour:
            counts[row, slot] = min(counts[row, slot], _FULL - units) + units
            return
    if n < SLOTS:
        slot = n
        used[row] = n + 1
    else:
        slot = draw_below(seed, np.uint64(0), SLOTS)
        for index in range(1, _TRIES):
            other = draw_below(seed, np.uint64(index), SLOTS)
            if counts[row, other] + others[row, other] < counts[row, slot] + others[row, slot]:
                slot = other
    neighbours[row, slot] = neighbour
    counts[row, slot] = min(counts[row, slot], _FULL - units) + units


@kernel
def _drop(gone, neighbours, after, before, used):
    for row in range(len(used)):
        kept = 0
        for slot in range(used[row]):
            if not gone[neighbours[row, slot]]:
                neighbours[row, kept] = neighbours[row, slot]
                after[row, kept] = after[row, slot]
                before[row, kept] = before[row, slot]
                kept += 1
        for slot in range(kept, used[row]):
            neighbours[row, slot] = after[row, slot] = before[row, slot] = 0
        used[row] = kept


@kernel
def _learn(rows, weights, history, starts, seed, neighbours, after, before, used, totals):
    for event in range(len(rows)):
        row = rows[event]
        for k in range(min(WINDOW, starts[event + 1] - starts[event])):
            earlier = history[starts[event] + k]
            units = np.int32(weights[event] * (UNITS // (k + 1)))
            if earlier < 0 or earlier == row or units <= 0:
                continue
            own = seed ^ (np.uint64(event) << np.uint64(16)) ^ np.uint64(k << 1)
            _add(earlier, row, units, own, neighbours, after, before, used)
            _add(row, earlier, units, own ^ np.uint64(1), neighbours, before, after, used)
            totals[earlier, 0] += units
            totals[earlier, 1] += units
            totals[row, 1] += units


@inline
def score(recent, neighbours, after, before, used, totals, followed, together):
    """Add a user's two scores to ``followed`` and ``together``, zeroed arrays over all rows.

    ``recent`` holds the rows of his earlier items, newest first, -1 where unknown.
    """
    # Square roots first, in a loop that vectorises, because adding to scattered places does not.
    after_terms = np.empty(SLOTS, np.float32)
    both_terms = np.empty(SLOTS, np.float32)
    for k in range(min(WINDOW, len(recent))):
        row = recent[k]
        if row < 0:
            continue
        lag = np.float32(1.0) / np.float32(k + 1)
        after_scale = lag / np.sqrt(np.float32(max(totals[row, 0], UNITS)))
        both_scale = lag / np.sqrt(np.float32(max(totals[row, 1], UNITS)))
        n = used[row]
        for slot in range(n):
            n_after = np.float32(after[row, slot])
            after_terms[slot] = after_scale * np.sqrt(n_after)
            both_terms[slot] = both_scale * np.sqrt(n_after + np.float32(before[row, slot]))
        for slot in range(n):
            x = neighbours[row, slot]
            followed[x] += after_terms[slot]
            together[x] += both_terms[slot]
