"""The blend: one score per item from the scorers' own, each standardised, weighted by what was learned from clicks.

``score(x) = Σ_f w_f · (f(x) − mean_f) / deviation_f``. The scorers of a user's own (:data:`OWN`) are standardised over
the known items that he has not had. Those that say the same to everybody (:data:`STANDING`) are standardised over all
known items, so they are worked out once for many users; of an item without events counts say nothing. There are sets of
weights for four (:data:`CONTEXTS`): somebody who clicks on wants what follows from his last clicks; somebody who comes
back after a while has left them behind, and what others do who come back says more; so does what newcomers do of
another. What an audience chooses is heard by that audience alone (:data:`HEARD`). The blend is additive, so every score
can be explained by its own terms.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.kernel import inline, kernel
from models.scorers import audiences, cooccurrence, popularity, recency, repeats
from models.scorers.audiences import AUDIENCES, Chosen
from models.scorers.cooccurrence import Pairs
from models.scorers.embeddings import Vectors
from models.scorers.popularity import Counts
from models.scorers.recency import LastUses
from models.scorers.repeats import Returns

OWN = ("embeddings", "followed", "together", "opinion", "again")
STANDING = ("popular", "trending", "daily", "weekly", *AUDIENCES, "recent")
SCORERS = OWN + STANDING
CONTEXTS = ("in session", "returning", "long away", "newcomer")
RETURNS_AFTER_S = 600
"""A gap between two events of a user, in seconds, after which he comes back rather than goes on …"""
LONG_AWAY_S = 24 * 3600
"""… and after which he comes back on another day."""
KNOWN_AFTER = 2
"""So many items does the history of a newcomer hold, at most; without any, nothing of his own is known at all."""
EMBEDDINGS, FOLLOWED, TOGETHER, OPINION, AGAIN = range(len(OWN))
WITH_AUDIENCE = STANDING.index(AUDIENCES[0])
RECENT = STANDING.index("recent")
NEWCOMER = CONTEXTS.index("newcomer")
HEARD = np.ones((len(CONTEXTS), len(SCORERS)), np.bool_)
"""Which scorer is heard in which context; the weights of the others are zero there, and learn nothing."""
HEARD[:, SCORERS.index("returners")] = [name in ("returning", "long away") for name in CONTEXTS]
HEARD[:, SCORERS.index("newcomers")] = [name == "newcomer" for name in CONTEXTS]


@inline
def context_of(gap, length):
    """Return the context of an event so many seconds after its user's event before, of so many items in his history."""
    if 0 < length <= KNOWN_AFTER:
        return np.int8(NEWCOMER)
    return np.int8(gap > RETURNS_AFTER_S) + np.int8(gap > LONG_AWAY_S)


class Tables(NamedTuple):
    """The arrays that scoring reads, as one argument for the kernels."""

    known: NDArray[np.bool_]  # (rows,) items with events
    vectors: Vectors
    pairs: Pairs
    popularity: Counts
    audiences: Chosen
    recency: LastUses
    repeats: Returns
    weights: NDArray[np.float32]  # (contexts, scorers)
    allow_repeats: bool


def standing(t: Tables) -> NDArray[np.float32]:
    """Return what the standing scorers say of all items, standardised, shape (len(STANDING), rows)."""
    out = np.empty((len(STANDING), len(t.known)), np.float32)
    _standing(t, out)
    return out


def prior(standing: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float32]:
    """Return the standing scorers' part of all scores in each context, shape (len(CONTEXTS), rows)."""
    return weights[:, len(OWN) :] @ standing


@kernel
def _standing(t, out):
    stand(t, t.known, np.empty(out.shape[1], np.float32), out)


@inline
def stand(t, known, scratch, out):
    """Write :func:`standing` into ``out``; ``known`` as ``t.known``, ``scratch`` is float32 of shape (rows,)."""
    popularity.score(t.popularity, out)
    audiences.score(t.audiences, out[WITH_AUDIENCE:RECENT])
    recency.score(t.recency, scratch, out[RECENT])
    for s in range(len(STANDING)):
        scores = out[s]
        mean, inverse = moments(scores, known)
        shift, factor = np.float32(mean), np.float32(inverse)
        for x in range(len(known)):
            # Of an item without events the counts say nothing: it stands at their mean, not below all others.
            scores[x] = (scores[x] - shift) * factor * np.float32(known[x] | (s == RECENT))


@inline
def score_own(products, recent, judged, opinion, t, own):
    """Let a user's own scorers score all items.

    Parameters
    ----------
    products : ndarray of float32, shape (rows,)
        The user's vector times every output embedding.
    recent, judged : ndarray of int32, shape (HISTORY,)
        Rows of his earlier items, newest first, -1 = none: of those that are context for the next, and of those that he
        has an opinion of.
    opinion : ndarray of float32, shape (HISTORY,)
        What it is, 0 where he has none.
    t : Tables
    own : ndarray of float32, shape (len(OWN), rows)
        Result; where repeats are off, their scores stay as they are: zeros.
    """
    for x in range(len(products)):
        own[EMBEDDINGS, x] = products[x] + t.vectors.biases[x]
    own[FOLLOWED:AGAIN] = np.float32(0.0)
    cooccurrence.score(recent, t.pairs, own[FOLLOWED], own[TOGETHER])
    cooccurrence.score_opinion(judged, opinion, t.pairs, own[OPINION])
    if t.allow_repeats:
        own[AGAIN] = np.float32(0.0)
        repeats.score(recent, t.repeats, own[AGAIN])


@inline
def blend(own, candidate, weights, standing_part, repeats, scales, means, out):
    """Blend what was scored for one user.

    Parameters
    ----------
    own : ndarray of float32, shape (len(OWN), rows)
    candidate : ndarray of bool, shape (rows,)
        The known items that he may choose: what mean and deviation are taken over.
    weights : ndarray of float32, shape (len(SCORERS),)
    standing_part : ndarray of float32, shape (rows,)
        The standing scorers' part of the scores.
    repeats : bool
        Whether they are allowed.
    scales, means, out : ndarray of float32, float64 and float32, shape (len(OWN),), (len(OWN),) and (rows,)
        Results: what each own scorer's score is multiplied with, its mean, and the blend.

    Returns
    -------
    float32
        What is subtracted from the sum: ``out = Σ_f scales_f · own_f + standing_part − centre``.
    """
    inverses = np.empty(len(OWN))
    own_moments(own, candidate, repeats, means, inverses)
    centre = 0.0
    for f in range(len(OWN)):
        scales[f] = weights[f] * np.float32(inverses[f])
        centre += scales[f] * means[f]
    shift = np.float32(centre)
    s0, s1, s2, s3 = scales[EMBEDDINGS], scales[FOLLOWED], scales[TOGETHER], scales[OPINION]
    for x in range(len(out)):
        out[x] = s0 * own[EMBEDDINGS, x] + s1 * own[FOLLOWED, x] + s2 * own[TOGETHER, x] + (standing_part[x] - shift)
    if s3 != 0.0:
        for x in range(len(out)):
            out[x] += s3 * own[OPINION, x]
    if scales[AGAIN] != 0.0:
        for x in range(len(out)):
            out[x] += scales[AGAIN] * own[AGAIN, x]
    return shift


@inline
def own_moments(own, candidate, repeats, means, inverses):
    """Write :func:`moments` of a user's own scorers, zeros of one that has nothing to say."""
    for f in (OPINION, AGAIN):
        means[f] = inverses[f] = 0.0
        if (f != AGAIN or repeats) and _says_anything(own[f]):
            means[f], inverses[f] = moments(own[f], candidate)
    # The others in one pass.
    embeddings, followed, together = own[EMBEDDINGS], own[FOLLOWED], own[TOGETHER]
    count = np.int32(0)
    total_e = total_f = total_t = squares_e = squares_f = squares_t = 0.0
    for x in range(len(candidate)):
        held = np.float32(candidate[x])
        e = np.float64(held * embeddings[x])
        f_ = np.float64(held * followed[x])
        t_ = np.float64(held * together[x])
        count = np.int32(count + np.int32(candidate[x]))
        total_e += e
        total_f += f_
        total_t += t_
        squares_e += e * e
        squares_f += f_ * f_
        squares_t += t_ * t_
    means[EMBEDDINGS], inverses[EMBEDDINGS] = _moments_of(count, total_e, squares_e)
    means[FOLLOWED], inverses[FOLLOWED] = _moments_of(count, total_f, squares_f)
    means[TOGETHER], inverses[TOGETHER] = _moments_of(count, total_t, squares_t)


@inline
def _says_anything(scores):
    anything = False
    for x in range(len(scores)):
        anything |= scores[x] != 0.0
    return anything


@inline
def moments(scores, candidate):
    """Return the mean over the candidates, and one over the deviation; 0 where all say the same.

    ``candidate`` may be shorter than ``scores``: what lies beyond is none.
    """
    # In double precision: a scorer that says the same of all items must come out with no deviation at all.
    count = np.int32(0)
    total = squares = 0.0
    for x in range(len(candidate)):
        value = np.float64(np.float32(candidate[x]) * scores[x])
        count = np.int32(count + np.int32(candidate[x]))
        total += value
        squares += value * value
    return _moments_of(count, total, squares)


@inline
def _moments_of(count, total, squares):
    mean, square = total / max(count, 1), squares / max(count, 1)
    variance = square - mean * mean
    # Below the precision of single scores it is rounding, not an opinion.
    return mean, 1.0 / np.sqrt(variance) if variance > 1e-12 * (1.0 + square) else 0.0
