"""From scores to ranks: the best N items of each user, and the rank of the item that he chose.

Scores of up to 64 users come from one matrix product; everything else is done user by user in one kernel.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models import explain
from models.combine import OWN, Tables, blend, prior, score_own, standing
from models.kernel import inline, kernel
from models.policy import Rules, arrange
from models.profiles import Profiles
from models.selection import EXCLUDED, NONE, mean_rank, select

CHUNK = 64


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


@dataclass(slots=True)
class Scores:
    """What all scorers say of all items for one user, and the blend of it.

    Attributes
    ----------
    own, standing : ndarray of float32, shape (len(OWN), rows) and (len(STANDING), rows)
        The scorers' scores; the standing ones standardised.
    scales : ndarray of float32, shape (len(OWN),)
    shift : float
        ``blend = Σ_f scales_f · own_f + Σ_s weight_s · standing_s − shift``.
    blend : ndarray of float32, shape (rows,)
    """

    own: NDArray[np.float32]
    standing: NDArray[np.float32]
    scales: NDArray[np.float32]
    shift: float
    blend: NDArray[np.float32]


def top(
    vectors: NDArray[np.float32],
    users: Profiles,
    seen: Ragged,
    withheld: NDArray[np.bool_],
    t: Tables,
    rules: Rules,
    n: int,
    reasons: int,
) -> Lists:
    """Return ``n`` items for each user, by the list policy, of the best that he may have and that are not withheld.

    Parameters
    ----------
    vectors : ndarray, shape (b, d)
        The users' embeddings.
    users : Profiles
    seen : Ragged
        Rows of all items that each has had; they are left out unless repeats are allowed.
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
    standing_ = standing(t)
    prior_ = prior(standing_, t.weights)
    for first in range(0, b, CHUNK):
        part = slice(first, first + CHUNK)
        _top(
            vectors[part] @ t.vectors.outputs.T,
            users.recent[part], users.judged[part], users.opinion[part], users.context[part],
            seen.values, seen.starts[part], seen.lengths[part], withheld, t, standing_, prior_, rules,
            rules.salts[part], lists.rows[part], lists.scores[part], lists.scorers[part], lists.grounds[part],
        )  # fmt: skip
    return lists


def ranks(
    vectors: NDArray[np.float32],
    users: Profiles,
    seen: Ragged,
    targets: NDArray[np.int32],
    popularity: NDArray[np.float64],
    t: Tables,
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the rank of each target under the blend and under popularity, 1 = best, ties at their mean rank.

    All known items that the user may have compete. ``targets`` has shape (b,), ``popularity`` (rows,).
    """
    by_blend, by_popularity = np.zeros(len(targets)), np.zeros(len(targets))
    prior_ = prior(standing(t), t.weights)
    for first in range(0, len(targets), CHUNK):
        part = slice(first, first + CHUNK)
        _ranks(
            vectors[part] @ t.vectors.outputs.T,
            users.recent[part], users.judged[part], users.opinion[part], users.context[part],
            seen.values, seen.starts[part], seen.lengths[part], targets[part], popularity, t, prior_,
            by_blend[part], by_popularity[part],
        )  # fmt: skip
    return by_blend, by_popularity


def apart(vector: NDArray[np.float32], user: Profiles, candidate: NDArray[np.bool_], t: Tables) -> Scores:
    """Score all items for one user: for comparing scorers and explaining scores, not for making lists.

    Parameters
    ----------
    vector : ndarray of float32, shape (d,)
        The user's embedding.
    user : Profiles
        Of one user.
    candidate : ndarray of bool, shape (rows,)
        The known items that he may choose.
    t : Tables
    """
    n = len(candidate)
    scores = Scores(
        np.zeros((len(OWN), n), np.float32), standing(t), np.empty(len(OWN), np.float32), 0.0, np.empty(n, np.float32)
    )
    weights = t.weights[user.context[0]]
    scores.shift = float(
        _apart(
            t.vectors.outputs @ vector, user.recent[0], user.judged[0], user.opinion[0], candidate, weights,
            prior(scores.standing, t.weights)[user.context[0]], t, scores.own, scores.scales, scores.blend,
        )
    )  # fmt: skip
    return scores


@kernel
def _apart(products, recent, judged, opinion, candidate, weights, prior_, t, own, scales, out):
    score_own(products, recent, judged, opinion, t, own)
    return blend(own, candidate, weights, prior_, t.allow_repeats, scales, np.empty(len(OWN)), out)


@kernel
def _ranks(
    products, recent, judged, opinion, context, seen, starts, lengths, targets, popularity, t, prior_,
    by_blend, by_popularity,
):  # fmt: skip
    n = products.shape[1]
    own, scores = np.zeros((len(OWN), n), np.float32), np.empty(n, np.float32)
    scales, means = np.empty(len(OWN), np.float32), np.empty(len(OWN))
    candidate, repeats = t.known.copy(), t.allow_repeats
    for user in range(len(targets)):
        mine = seen[starts[user] : starts[user] + lengths[user]]
        _take_out(mine, candidate, repeats)
        score_own(products[user], recent[user], judged[user], opinion[user], t, own)
        weights = t.weights[context[user]]
        blend(own, candidate, weights, prior_[context[user]], repeats, scales, means, scores)
        by_blend[user] = mean_rank(scores, targets[user], candidate)
        by_popularity[user] = mean_rank(popularity, targets[user], candidate)
        _put_back(mine, candidate, t.known)


@kernel
def place(scores, candidate, target, rows):
    """Return the target's mean rank among the candidates under any scores, and fill ``rows`` with the best of them.

    ``scores`` is changed: what is no candidate is excluded. ``rows`` is -1 from where there are no more candidates.
    """
    rank = mean_rank(scores, target, candidate)
    for x in range(len(scores)):
        if not candidate[x]:
            scores[x] = EXCLUDED
    length = select(scores, rows, np.empty(len(rows), scores.dtype))
    rows[length:] = NONE
    return rank


@inline
def _take_out(mine, candidate, repeats):
    if not repeats:
        for row in mine:
            if row >= 0:
                candidate[row] = False


@inline
def _put_back(mine, candidate, known):
    for row in mine:
        if row >= 0:
            candidate[row] = known[row]


@kernel
def _top(
    products, recent, judged, opinion, context, seen, starts, lengths, withheld, t, standing_, prior_, rules, salts,
    rows, scores, scorers, grounds,
):  # fmt: skip
    n = products.shape[1]
    own, blended = np.zeros((len(OWN), n), np.float32), np.empty(n, np.float32)
    scales, means = np.empty(len(OWN), np.float32), np.empty(len(OWN))
    candidate, repeats = t.known.copy(), t.allow_repeats
    candidates = rules.surplus * rows.shape[1]
    picked, best = np.empty(candidates, np.int32), np.empty(candidates, np.float32)
    for user in range(len(products)):
        mine = seen[starts[user] : starts[user] + lengths[user]]
        weights = t.weights[context[user]]
        _take_out(mine, candidate, repeats)
        score_own(products[user], recent[user], judged[user], opinion[user], t, own)
        blend(own, candidate, weights, prior_[context[user]], repeats, scales, means, blended)
        for x in range(n):
            if withheld[x]:
                blended[x] = EXCLUDED
        if not t.allow_repeats:
            for row in mine:
                if row >= 0:
                    blended[row] = EXCLUDED
        length = select(blended, picked, best)
        length = arrange(
            picked[:length], best[:length], blended, t.vectors.outputs, rules, salts[user], rows[user], scores[user]
        )
        explain.reasons(
            rows[user, :length], recent[user], judged[user], opinion[user], scales, means, weights, own, standing_, t,
            scorers[user], grounds[user],
        )  # fmt: skip
        _put_back(mine, candidate, t.known)
