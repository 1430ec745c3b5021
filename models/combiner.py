"""How the blend's weights are learned: from the items that visitors choose, one softmax over what they could have seen.

An event is a choice of its item i among the 100 best for its user. With standardised scores z, weights w and sharpness
β, ``p = softmax(β · w · z)``; the gradient of ``−log p_i`` by w moves the weights by Adagrad, each pulled towards its
start. The weights' absolute values keep their sum, so they cannot all vanish; how much the scores decide is β's to
learn.

Each context has the common weights and a shift of its own, so the rare context learns from the frequent one. Every
eighth event of a user who goes on teaches, every second of one who comes back or is new (:func:`teaches`); half as many
once ten thousand have, and where the catalogue is large, fewer, so that scoring all items costs the same few
microseconds an event everywhere. The rare contexts begin with more of popularity, see docs/decisions/blend.md. What
newcomers choose moves their own weights alone, and no lesson moves a scorer that is not heard in its context.

References
----------
Cao, Qin, Liu, Tsai, Li: Learning to Rank: From Pairwise to Listwise Approach. ICML 2007 (softmax over a list).
Duchi, Hazan, Singer: Adaptive Subgradient Methods. JMLR 2011 (Adagrad).
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.arrays import RowArrays
from models.combine import CONTEXTS, HEARD, NEWCOMER, OWN, SCORERS, own_moments
from models.kernel import inline
from models.scorers.audiences import AUDIENCES
from models.selection import EXCLUDED, counts_above, select

# Strong on dense and on sparse data alike; an opinion counts a little until clicks say how much.
PRESET = np.zeros(len(SCORERS))
PRESET[: len(OWN)] = 1.0, 0.5, 0.5, 0.05, 0.0
# Who has been away, or is new, is met by fewer lessons than it takes to learn how much more others say of him.
_SHIFTS = np.zeros((len(CONTEXTS), len(SCORERS)))
_SHIFTS[:, SCORERS.index("popular")] = 0.0, 0.3, 0.6, 0.6  # by context
_SHIFTS[:, SCORERS.index("returners")] = 0.0, 0.3, 0.6, 0.0
_SHIFTS[:, SCORERS.index("newcomers")] = 0.0, 0.0, 0.0, 0.6
_TOTAL = float(np.abs(PRESET).sum())
COMPETE = 100
"""How many of the best items an event's item is chosen from."""
_GATE = 200  # an item further down was not chosen for what the scorers know
_EVERY, _EVERY_RARE = 8, 2
_ITEMS_AT_COST = 4000  # larger catalogues teach less often
# After so many lessons a context's weights hardly move any more: half of what might teach does from then on.
_SETTLED = 10_000
_EVERY_SETTLED = np.uint64(2)
_RATE = 0.03
_PULL = 1e-3
_FIRST = 0.01
_LEAST_SHARPNESS = 0.2
HIT_DEPTH = 10
WATCHED = 32
"""So many rankings make one hit rate of each scorer …"""
WINDOWS = 32
"""… and so many of these are held until they are taken."""


class Choices(NamedTuple):
    """The combiner as the kernels take it, see :class:`Combiner`."""

    base: NDArray[np.float64]
    shifts: NDArray[np.float64]
    base_sums: NDArray[np.float64]
    shift_sums: NDArray[np.float64]
    sharpness: NDArray[np.float64]
    taught: NDArray[np.int64]
    hits: NDArray[np.float64]
    ranked: NDArray[np.int64]


class Combiner(RowArrays):
    """The weights of the blend.

    Attributes
    ----------
    base : ndarray of float64, shape (len(SCORERS),)
        Weights that all contexts share.
    shifts : ndarray of float64, shape (len(CONTEXTS), len(SCORERS))
        What is added in each context.
    base_sums, shift_sums : ndarray of float64
        Adagrad's sums of squared gradients, shaped like these.
    sharpness : ndarray of float64, shape (2,)
        β, and its sum of squared gradients.
    taught : ndarray of int64, shape (len(CONTEXTS),)
        Events that taught, by context.
    hits : ndarray of float64, shape (WINDOWS, len(SCORERS) + 1)
        Of each 32 events ranked since :meth:`watched`: how many each scorer alone, and last the blend, had among its
        ten best.
    ranked : ndarray of int64, shape (1,)
        How many events these are.
    """

    whole = ("base", "shifts", "base_sums", "shift_sums", "sharpness", "taught", "hits", "ranked")

    def __init__(self) -> None:
        n = len(SCORERS)
        self.base = PRESET.copy()
        self.shifts = _SHIFTS.copy()
        self.base_sums = np.full(n, _FIRST)
        self.shift_sums = np.full((len(CONTEXTS), n), _FIRST)
        self.sharpness = np.array([1.0, _FIRST])
        self.taught = np.zeros(len(CONTEXTS), np.int64)
        self.hits = np.zeros((WINDOWS, n + 1))
        self.ranked = np.zeros(1, np.int64)

    @property
    def weights(self) -> NDArray[np.float32]:
        """The weights in each context, shape (len(CONTEXTS), len(SCORERS))."""
        return (HEARD * (self.base + self.shifts)).astype(np.float32)

    def restore(self, state: dict[str, Any]) -> None:
        """Take over :meth:`state`; what format 3 does not know is at its start."""
        super().restore(state if len(state["base"]) == len(SCORERS) else self._completed(state))

    def _completed(self, state: dict[str, Any]) -> dict[str, Any]:
        """Return a state of format 3, which has a context and the audiences less, with these as they are here."""
        completed = self.state(0)
        known = np.array([name not in AUDIENCES for name in SCORERS])
        contexts = len(state["taught"])
        for name in ("base", "base_sums"):
            completed[name][known] = state[name]
        for name in ("shifts", "shift_sums"):
            completed[name][:contexts, known] = state[name]
        completed["taught"][:contexts] = state["taught"]
        completed["sharpness"] = state["sharpness"]
        return completed

    def arrays(self) -> Choices:
        """Return the arrays as the kernels take them."""
        return Choices(*(getattr(self, name) for name in self.whole))

    def watched(self) -> NDArray[np.float64]:
        """Take out the hit rates that are complete, shape (windows, len(SCORERS) + 1)."""
        complete = min(int(self.ranked[0]) // WATCHED, WINDOWS)
        if not complete:
            return self.hits[:0]
        rates: NDArray[np.float64] = self.hits[:complete] / WATCHED
        self.hits[:] = np.roll(self.hits, -complete, axis=0)
        self.hits[WINDOWS - complete :] = 0.0
        self.ranked[0] -= complete * WATCHED
        return rates


def teaches(offsets: NDArray[np.int64], contexts: NDArray[np.int8]) -> NDArray[np.bool_]:
    """Return which events are to teach, by Kafka's offsets and their contexts."""
    return np.asarray(offsets % np.where(contexts > 0, _EVERY_RARE, _EVERY) == 0)


@inline
def is_due(context, events, n_known, drawn, c):
    """Return whether an event of this context is to teach, after so many of all, where there are so many items.

    ``drawn`` is a random number of the event.
    """
    if c.taught[context] >= _SETTLED and drawn % _EVERY_SETTLED != 0:
        return False
    every = max(_EVERY, _EVERY * n_known // _ITEMS_AT_COST)
    return every <= _EVERY or c.taught[context] * every <= events


@inline
def learn(target, context, own, stand, candidate, t, scores, z, rows, best, c):
    """Learn from one choice.

    Parameters
    ----------
    target : int
        Row of the item chosen, a candidate.
    context : int
        Position in :data:`models.combine.CONTEXTS`.
    own, stand : ndarray of float32, shape (len(OWN), rows) and (len(STANDING), rows)
        What the scorers say; the standing ones standardised.
    candidate : ndarray of bool, shape (n,)
        What he could have chosen, among the first n rows.
    t : Tables
    scores, z, rows, best : ndarray
        Scratch: float32 of shape (n,), float64 of shape (COMPETE + 1, len(SCORERS)), int32 and float32 of shape
        (COMPETE + 1,).
    c : Choices
    """
    n_own, n = len(OWN), len(SCORERS)
    c.taught[context] += 1
    centres, factors = np.empty(n_own), np.empty(n_own)
    own_moments(own, candidate, t.allow_repeats, centres, factors)
    scores[:] = np.float32(0.0)
    weights = HEARD[context] * (c.base + c.shifts[context])
    for f in range(n):
        if f < n_own:
            _add(np.float32(weights[f] * factors[f]), own[f], scores)
        else:
            _add(np.float32(weights[f]), stand[f - n_own], scores)
    above = _above(scores, target, candidate)
    hits = c.hits[min(c.ranked[0] // WATCHED, WINDOWS - 1)]
    c.ranked[0] += 1
    hits[n] += above < HIT_DEPTH
    for f in range(n):
        hits[f] += _above(own[f] if f < n_own else stand[f - n_own], target, candidate) < HIT_DEPTH
    if above >= _GATE:
        return

    for x in range(len(scores)):
        if not candidate[x]:
            scores[x] = EXCLUDED
    scores[target] = EXCLUDED
    m = select(scores, rows[:COMPETE], best[:COMPETE])
    rows[m] = target
    for j in range(m + 1):
        for f in range(n_own):
            z[j, f] = (own[f, rows[j]] - centres[f]) * factors[f]
        for f in range(n - n_own):
            z[j, n_own + f] = stand[f, rows[j]]
    _step(z[: m + 1], weights, context, c)


@inline
def _add(weight, scores, out):
    if weight != 0.0:
        for x in range(len(out)):
            out[x] += weight * scores[x]


@inline
def _above(scores, target, candidate):
    """Return how many candidates stand above the target, ties half."""
    above, equal = counts_above(scores, scores[target], candidate)
    return above + 0.5 * (equal - 1)


@inline
def _step(z, weights, context, c):
    """Take one step against the gradient of −log of the last row's share."""
    m, n = z.shape
    beta = c.sharpness[0]
    shares = np.empty(m)
    largest = -1e300
    for j in range(m):
        shares[j] = 0.0
        for f in range(n):
            shares[j] += beta * weights[f] * z[j, f]
        largest = max(largest, shares[j])
    total = 0.0
    for j in range(m):
        shares[j] = np.exp(shares[j] - largest)
        total += shares[j]
    gradient = np.zeros(n)
    for j in range(m):
        error = shares[j] / total - (j == m - 1)
        for f in range(n):
            gradient[f] += error * z[j, f]
    along = 0.0
    for f in range(n):
        along += gradient[f] * weights[f]
    for f in range(n):
        if not HEARD[context, f]:
            continue
        if context != NEWCOMER:  # he says nothing of others
            g = beta * gradient[f] + _PULL * (c.base[f] - PRESET[f])
            c.base_sums[f] += g * g
            c.base[f] -= _RATE * g / np.sqrt(c.base_sums[f])
        g = beta * gradient[f] + _PULL * (c.shifts[context, f] - _SHIFTS[context, f])
        c.shift_sums[context, f] += g * g
        c.shifts[context, f] -= _RATE * g / np.sqrt(c.shift_sums[context, f])
    c.sharpness[1] += (along * beta) ** 2
    c.sharpness[0] = max(_LEAST_SHARPNESS, beta * np.exp(-_RATE * along * beta / np.sqrt(c.sharpness[1])))
    norm = 0.0
    for f in range(n):
        norm += abs(c.base[f])
    for f in range(n):
        c.base[f] *= _TOTAL / norm
