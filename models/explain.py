"""Why an item is on a list: the scorers are sums over the user's earlier items, so a reason is the largest term itself.

The term of earlier item h_k for item x is ``scale_e · Σ_s γ_s^k E_in[h_k, s] · E_out[x]`` under the embeddings and
``scale · 1/k · √count(h_k, x) / √total(h_k)`` under co-occurrence, with the scales of the blend.
"""

from __future__ import annotations

import numpy as np

from contracts.learning import HISTORY
from models.combine import SCORERS
from models.kernel import inline
from models.scorers.cooccurrence import UNITS, WINDOW
from models.scorers.embeddings import _REACH, _WEIGHTS, DIMENSIONS

GROUNDS = 2
"""How many earlier items a reason names."""
# Older items than this are never the loudest term; leaving them out keeps reasons at a tenth of a list's cost.
_LOOK_BACK = 20


@inline
def reasons(rows, recent, scales, followed, together, t, position_of, scorers, grounds):
    """Find the loudest scorer of each of the first items, and the earlier items with the largest terms under it.

    ``position_of`` is scratch over all rows, -1 everywhere before and after. ``scorers`` and ``grounds`` are filled.
    """
    n = min(len(rows), len(scorers))
    if n == 0:
        return
    terms = np.zeros((n, len(SCORERS), HISTORY), np.float32)
    for position in range(n):
        position_of[rows[position]] = position
    vector = np.empty(DIMENSIONS, np.float32)
    for k in range(_LOOK_BACK):
        if recent[k] < 0:
            continue
        vector[:] = 0.0
        for s in range(len(_REACH)):
            if k < _REACH[s]:
                for d in range(DIMENSIONS):
                    vector[d] += _WEIGHTS[s, k] * t.inputs[recent[k], s, d]
        for position in range(n):
            dot = np.float32(0.0)
            for d in range(DIMENSIONS):
                dot += vector[d] * t.outputs[rows[position], d]
            terms[position, 0, k] = scales[0] * dot
    for k in range(WINDOW):
        row = recent[k]
        if row < 0:
            continue
        lag = np.float32(1.0) / np.float32(k + 1)
        after_scale = scales[1] * lag / np.sqrt(np.float32(max(t.totals[row, 0], UNITS)))
        both_scale = scales[2] * lag / np.sqrt(np.float32(max(t.totals[row, 1], UNITS)))
        for slot in range(t.used[row]):
            position = position_of[t.neighbours[row, slot]]
            if position >= 0:
                n_after = np.float32(t.after[row, slot])
                terms[position, 1, k] = after_scale * np.sqrt(n_after)
                terms[position, 2, k] = both_scale * np.sqrt(n_after + np.float32(t.before[row, slot]))
    for position in range(n):
        position_of[rows[position]] = -1
        loudest = 0
        for scorer in range(1, len(SCORERS)):
            if terms[position, scorer].sum() > terms[position, loudest].sum():
                loudest = scorer
        scorers[position] = loudest
        for g in range(GROUNDS):
            k = int(np.argmax(terms[position, loudest]))
            if terms[position, loudest, k] <= 0.0:
                break
            grounds[position, g] = recent[k]
            for again in range(HISTORY):  # an item that he had twice is one ground
                if recent[again] == recent[k]:
                    terms[position, loudest, again] = 0.0
