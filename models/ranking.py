"""From scores to ranks: the best N items of each user, and the rank of the item that he chose.

Scores of up to 64 users come from one matrix product; everything else is done user by user in one kernel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models import explain, policy
from models.combine import EXCLUDED, SCORERS, Tables, blend
from models.kernel import kernel
from models.policy import Rules
from models.scorers.embeddings import DIMENSIONS

CHUNK = 64
NONE = -1


@dataclass(slots=True)
class Ragged:
    """Rows of different lengths: ``values[starts[i]:starts[i] + lengths[i]]`` belongs to i."""

    values: NDArray[np.int32]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]


@dataclass(slots=True)
class Lists:
    """Top-N lists of b users.

    Attributes
    ----------
    rows : ndarray of int32, shape (b, n)
        Best first, -1 where a user has fewer candidates.
    scores : ndarray of float32, shape (b, n)
        The blend's own: they fall, except where the list policy moved an item.
    scorers : ndarray of int8, shape (b, reasons)
        Which scorer speaks loudest for each of the first items, see :data:`models.combine.SCORERS`; -1 = none.
    grounds : ndarray of int32, shape (b, reasons, GROUNDS)
        Rows of the user's earlier items that this rests on, strongest first, -1 = none.
    """

    rows: NDArray[np.int32]
    scores: NDArray[np.float32]
    scorers: NDArray[np.int8]
    grounds: NDArray[np.int32]


def top(
    vectors: NDArray[np.float32],
    recent: NDArray[np.int32],
    seen: Ragged,
    withheld: NDArray[np.bool_],
    t: Tables,
    rules: Rules,
    n: int,
    reasons: int,
) -> Lists:
    """Return ``n`` items for each user, by the list policy, of the best that he has not had and that are not withheld.

    Parameters
    ----------
    vectors : ndarray, shape (b, d)
        The users' embeddings.
    recent : ndarray of int32, shape (b, HISTORY)
        Rows of their recent items, newest first.
    seen : Ragged
        Rows of all items that each has had.
    withheld : ndarray of bool, shape (rows,)
        Hidden, expired and deleted items.
    t : Tables
    rules : Rules
        The list policy, for these users.
    n, reasons : int
        Length of the lists, and how many of their first items get a reason.
    """
    b = len(vectors)
    lists = Lists(
        np.full((b, n), NONE, np.int32),
        np.zeros((b, n), np.float32),
        np.full((b, reasons), NONE, np.int8),
        np.full((b, reasons, explain.GROUNDS), NONE, np.int32),
    )
    for first in range(0, b, CHUNK):
        part = slice(first, first + CHUNK)
        _top(
            vectors[part] @ t.outputs.T, recent[part], seen.values, seen.starts[part], seen.lengths[part], withheld, t,
            rules, rules.salts[part],
            lists.rows[part], lists.scores[part], lists.scorers[part], lists.grounds[part],
        )  # fmt: skip
    return lists


def ranks(
    vectors: NDArray[np.float32],
    recent: NDArray[np.int32],
    seen: Ragged,
    targets: NDArray[np.int32],
    popularity: NDArray[np.float64],
    t: Tables,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the rank of each target under the blend and under popularity, 1 = best, ties at their mean rank.

    All known items except those that the user has had compete. ``targets`` has shape (b,), ``popularity`` (rows,).
    """
    by_blend, by_popularity = np.zeros(len(targets)), np.zeros(len(targets))
    for first in range(0, len(targets), CHUNK):
        part = slice(first, first + CHUNK)
        _ranks(
            vectors[part] @ t.outputs.T, recent[part], seen.values, seen.starts[part], seen.lengths[part],
            targets[part], popularity, t, by_blend[part], by_popularity[part],
        )  # fmt: skip
    return by_blend, by_popularity


@kernel
def _ranks(products, recent, seen, starts, lengths, targets, popularity, t, by_blend, by_popularity):
    n = products.shape[1]
    followed, together, scores = np.empty(n, np.float32), np.empty(n, np.float32), np.empty(n, np.float32)
    scales = np.empty(len(SCORERS), np.float32)
    candidate = t.known.copy()
    for user in range(len(targets)):
        mine = seen[starts[user] : starts[user] + lengths[user]]
        _mark(mine, candidate, False, t.known)
        blend(products[user], recent[user], candidate, t, followed, together, scales, scores)
        by_blend[user] = _mean_rank(scores, targets[user], candidate)
        by_popularity[user] = _mean_rank(popularity, targets[user], candidate)
        _mark(mine, candidate, True, t.known)


@kernel
def apart(vector, recent, candidate, t, out):
    """Score all items for one user, each scorer for itself: for comparing scorers, not for making lists.

    Parameters
    ----------
    vector : ndarray of float32, shape (d,)
        The user's embedding.
    recent, candidate, t
        As in :func:`models.combine.blend`.
    out : ndarray of float32, shape (1 + len(SCORERS), rows)
        Result: the blend's scores, then each scorer's own as it gives them.
    """
    products = np.empty(len(candidate), np.float32)
    for x in range(len(products)):
        dot = np.float32(0.0)
        for d in range(DIMENSIONS):
            dot += vector[d] * t.outputs[x, d]
        products[x] = dot
    scales = np.empty(len(SCORERS), np.float32)
    blend(products, recent, candidate, t, out[2], out[3], scales, out[0])
    for x in range(len(products)):
        out[1, x] = products[x] + t.biases[x]


@kernel
def place(scores, candidate, target, rows):
    """Return the target's mean rank among the candidates under any scores, and fill ``rows`` with the best of them.

    ``scores`` is changed: what is no candidate is excluded. ``rows`` is -1 from where there are no more candidates.
    """
    rank = _mean_rank(scores, target, candidate)
    for x in range(len(scores)):
        if not candidate[x]:
            scores[x] = EXCLUDED
    length = _select(scores, rows, np.empty(len(rows), scores.dtype))
    rows[length:] = NONE
    return rank


@kernel
def _mark(rows, candidate, value, known):
    for position in range(len(rows)):
        row = rows[position]
        if row >= 0:
            candidate[row] = value and known[row]


@kernel
def _mean_rank(scores, target, candidate):
    above = 0
    equal = 0
    own = scores[target]
    for x in range(len(scores)):
        above += candidate[x] and scores[x] > own
        equal += candidate[x] and scores[x] == own
    return 1.0 + above + 0.5 * (equal - candidate[target])


@kernel
def _top(products, recent, seen, starts, lengths, withheld, t, rules, salts, rows, scores, scorers, grounds):
    n = products.shape[1]
    followed, together, blended = np.empty(n, np.float32), np.empty(n, np.float32), np.empty(n, np.float32)
    scales = np.empty(len(SCORERS), np.float32)
    candidate = t.known.copy()
    position_of = np.full(n, NONE, np.int16)
    candidates = rules.surplus * rows.shape[1]
    picked, best = np.empty(candidates, np.int32), np.empty(candidates, np.float32)
    for user in range(len(products)):
        mine = seen[starts[user] : starts[user] + lengths[user]]
        _mark(mine, candidate, False, t.known)
        blend(products[user], recent[user], candidate, t, followed, together, scales, blended)
        for x in range(n):
            if withheld[x]:
                blended[x] = EXCLUDED
        for position in range(len(mine)):
            if mine[position] >= 0:
                blended[mine[position]] = EXCLUDED
        length = _select(blended, picked, best)
        length = policy.arrange(
            picked[:length], best[:length], blended, t.outputs, rules, salts[user], rows[user], scores[user]
        )
        explain.reasons(
            rows[user, :length], recent[user], scales, followed, together, t, position_of, scorers[user], grounds[user]
        )
        _mark(mine, candidate, True, t.known)


@kernel
def _select(scores, rows, best):
    """Write the largest scores and their rows, best first; return how many there are.

    A threshold is found by bisection between which and the maximum lie at least ``wanted`` scores and not many more:
    each probe is one vectorised count, and only what passes is sorted.
    """
    wanted = len(rows)
    finite = 0
    low = -EXCLUDED
    high = EXCLUDED
    # Without branches, here and below: this is done for every item of every list.
    for x in range(len(scores)):
        s = scores[x]
        finite += s > EXCLUDED
        low = min(low, s if s > EXCLUDED else -EXCLUDED)
        high = max(high, s)
    wanted = min(wanted, finite)
    if wanted == 0:
        return 0
    passed = finite
    for _ in range(40):
        # Ties may keep the count from ever coming down to ``wanted``: then all of them are sorted.
        if passed <= wanted + wanted // 2 or high <= low:
            break
        middle = low + (high - low) * np.float32(0.5)
        if middle <= low or middle >= high:
            break
        count = 0
        for x in range(len(scores)):
            count += scores[x] >= middle
        if count >= wanted:
            low, passed = middle, count
        else:
            high = middle
    found = np.empty(len(scores) + 1, np.int32)
    k = 0
    for x in range(len(scores)):
        found[k] = x
        k += scores[x] >= low
    found = found[:k]
    # Stable, so that equal scores stand in the order of their rows.
    order = np.argsort(-scores[found], kind="mergesort")
    for k in range(wanted):
        rows[k] = found[order[k]]
        best[k] = scores[rows[k]]
    return wanted
