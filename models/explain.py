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
from models.scorers.cooccurrence import WINDOW
from models.scorers.cooccurrence import scales as pair_scales
from models.scorers.embeddings import _REACH, _WEIGHTS, DIMENSIONS
from models.selection import NONE

GROUNDS = 2
"""How many earlier items a reason names."""
# Older items than this are never the loudest term; leaving them out keeps reasons at a tenth of a list's cost.
_LOOK_BACK = 20
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
    position_of = np.full(len(t.known), NONE, np.int32)
    _fill(rows, recent, judged, opinion, scales, t, position_of, HISTORY, terms)


@inline
def _fill(rows, recent, judged, opinion, scales, t, position_of, look_back, terms):
    """Add the terms of the ``look_back`` latest items; ``position_of`` is -1 everywhere before and after."""
    n = len(rows)
    for position in range(n):
        position_of[rows[position]] = position
    vector = np.empty(DIMENSIONS, np.float32)
    for k in range(look_back):
        if recent[k] < 0:
            continue
        vector[:] = 0.0
        for s in range(len(_REACH)):
            if k < _REACH[s]:
                for d in range(DIMENSIONS):
                    vector[d] += _WEIGHTS[s, k] * t.vectors.inputs[recent[k], s, d]
        for position in range(n):
            dot = np.float32(0.0)
            for d in range(DIMENSIONS):
                dot += vector[d] * t.vectors.outputs[rows[position], d]
            terms[position, EMBEDDINGS, k] = scales[EMBEDDINGS] * dot
    p = t.pairs
    for k in range(WINDOW):
        row = max(recent[k], judged[k])
        if row < 0:
            continue
        after_scale, both_scale = pair_scales(row, k, p)
        liked = np.float32(recent[k] >= 0)
        for place in range(p.starts[row], p.starts[row] + p.rooms[row]):
            position = position_of[p.neighbours[place]]
            if position >= 0 and p.neighbours[place] != row:
                n_after = np.float32(p.after[place])
                both = both_scale * np.sqrt(n_after + np.float32(p.before[place]))
                terms[position, FOLLOWED, k] = liked * scales[FOLLOWED] * after_scale * np.sqrt(n_after)
                terms[position, TOGETHER, k] = liked * scales[TOGETHER] * both
                terms[position, OPINION, k] = scales[OPINION] * opinion[k] * both
    for position in range(n):
        position_of[rows[position]] = NONE


@inline
def reasons(
    rows, recent, judged, opinion, scales, means, weights, own, standing, t, position_of, scorers, grounds
):  # fmt: skip
    """Find the loudest scorer of each of the first items, and the earlier items with the largest terms under it.

    Loudest is the scorer that lifts the item furthest above its mean over all items. ``position_of`` is scratch, -1
    for every row before and after. ``scorers`` and ``grounds`` are filled.
    """
    n = min(len(rows), len(scorers))
    if n == 0:
        return
    terms = np.zeros((n, _ADDITIVE, HISTORY), np.float32)
    _fill(rows[:n], recent, judged, opinion, scales, t, position_of, _LOOK_BACK, terms)
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
        for g in range(GROUNDS):
            k = int(np.argmax(terms[position, loudest]))
            if terms[position, loudest, k] <= 0.0:
                break
            ground = max(recent[k], judged[k])
            grounds[position, g] = ground
            for again in range(HISTORY):  # an item that he had twice is one ground
                if max(recent[again], judged[again]) == ground:
                    terms[position, loudest, again] = 0.0
