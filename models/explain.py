"""Why an item is on a list: the scorers are sums over the user's earlier items, so a reason is the largest term itself.

The blend of item x is ``Σ_f scale_f · f(x) + Σ_s weight_s · s(x) − shift`` over the user's own scorers f and the
standing ones s (:mod:`models.combine`). Own scores are sums over his earlier items h_k: ``Σ_s γ_s^k E_in[h_k, s] ·
E_out[x]`` plus the item's bias under the embeddings, ``w_k · √count(h_k, x) / √total(h_k)`` under co-occurrence. So the
terms, the biases and the standing parts less the shift add up to the score (:func:`contributions`).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contracts.learning import HISTORY
from models.combine import EMBEDDINGS, FOLLOWED, OPINION, OWN, STANDING, TOGETHER, Tables
from models.kernel import inline, kernel
from models.profiles import Profiles
from models.scorers import cooccurrence
from models.scorers.cooccurrence import WINDOW
from models.scorers.embeddings import DIMENSIONS, REACH, WEIGHTS

GROUNDS = 2
"""How many earlier items a reason names."""
# Older items than this are never the loudest term; leaving them out keeps reasons at a tenth of a list's cost.
LOOK_BACK = 20
_ADDITIVE = 4  # embeddings, followed, together, opinion: sums over earlier items


def contributions(
    user: Profiles, rows: NDArray[np.int32], scales: NDArray[np.float32], t: Tables
) -> NDArray[np.float32]:
    """Return every term of some items' scores, in the blend's units.

    Parameters
    ----------
    user : Profiles
        Of one user.
    rows : ndarray of int32, shape (n,)
        The items, all different.
    scales : ndarray of float32, shape (len(OWN),)
        See :class:`models.ranking.Scores`.
    t : Tables

    Returns
    -------
    ndarray of float32, shape (n, 4, HISTORY)
        What the user's k-th latest item adds under embeddings, followed, together and opinion.
    """
    terms = np.zeros((len(rows), _ADDITIVE, HISTORY), np.float32)
    _contributions(rows, user.recent[0], user.judged[0], user.opinion[0], scales, t, terms)
    return terms


@kernel
def _contributions(rows, recent, judged, opinion, scales, t, terms):
    moves = _moves(recent, HISTORY, t.vectors.inputs)
    for position in range(len(rows)):
        x = rows[position]
        _move_terms(t.vectors.outputs[x], moves, scales[EMBEDDINGS], terms[position, EMBEDDINGS])
        for f in (FOLLOWED, TOGETHER, OPINION):
            _pair_terms(x, f, recent, judged, opinion, scales[f], t.pairs, terms[position, f])


# The functions below take single arrays instead of all tables: each array handed on is counted, twenty times a list.


@inline
def _moves(recent, look_back, inputs):
    """Return what each of the ``look_back`` latest items adds to the user's vector, shape (look_back, d)."""
    moves = np.zeros((look_back, DIMENSIONS), np.float32)
    for k in range(look_back):
        move = moves[k]
        for s in range(len(REACH)):
            if recent[k] >= 0 and k < REACH[s]:
                weight, vector = WEIGHTS[s, k], inputs[recent[k], s]
                for d in range(DIMENSIONS):
                    move[d] += weight * vector[d]
    return moves


@inline
def _move_terms(output, moves, scale, terms):
    """Write what each of his latest items adds to an item's score under the embeddings."""
    for k in range(len(terms)):
        dot = np.float32(0.0)
        for d in range(DIMENSIONS):
            dot += moves[k, d] * output[d]
        terms[k] = scale * dot


@inline
def _pair_terms(x, f, recent, judged, opinion, scale, p, terms):
    """Write what each of his latest items adds to the score of item x under a scorer that counts pairs."""
    terms[:] = np.float32(0.0)
    for k in range(WINDOW):
        row = recent[k] if f != OPINION else judged[k]
        place = cooccurrence.find(row, x, p) if row >= 0 else np.int64(-1)
        if place < 0:
            continue
        after_scale, both_scale = cooccurrence.scales(row, k, p)
        n_after, n_before = np.float32(p.after[place]), np.float32(p.before[place])
        if f == FOLLOWED:
            terms[k] = scale * after_scale * np.sqrt(n_after)
        elif f == TOGETHER:
            terms[k] = scale * both_scale * np.sqrt(n_after + n_before)
        else:
            terms[k] = scale * opinion[k] * both_scale * np.sqrt(n_after + n_before)


@inline
def reasons(rows, recent, judged, opinion, scales, means, weights, own, standing, t, scorers, grounds):
    """Find the loudest scorer of each of the first items, and the earlier items with the largest terms under it.

    Loudest is the scorer that lifts the item furthest above its mean over all items. ``scorers`` and ``grounds`` are
    filled.
    """
    n = min(len(rows), len(scorers))
    if n == 0:
        return
    terms = np.empty(LOOK_BACK, np.float32)
    moves = _moves(recent, LOOK_BACK, t.vectors.inputs)
    for position in range(n):
        x = rows[position]
        loudest, most = 0, np.float64(-1e30)
        for f in range(len(OWN) + len(STANDING)):
            if f < len(OWN):
                lift = scales[f] * (own[f, x] - means[f])
            else:
                lift = np.float64(weights[f] * standing[f - len(OWN), x])
            if lift > most:
                loudest, most = f, lift
        scorers[position] = loudest
        if loudest >= _ADDITIVE:
            continue
        if loudest == EMBEDDINGS:
            _move_terms(t.vectors.outputs[x], moves, scales[EMBEDDINGS], terms)
        else:
            _pair_terms(x, loudest, recent, judged, opinion, scales[loudest], t.pairs, terms)
        for g in range(GROUNDS):
            k = int(np.argmax(terms))
            if terms[k] <= 0.0:
                break
            ground = max(recent[k], judged[k])
            grounds[position, g] = ground
            for again in range(LOOK_BACK):  # an item that he had twice is one ground
                if max(recent[again], judged[again]) == ground:
                    terms[again] = 0.0
