"""The largest of many scores, and where one of them stands among the others."""

from __future__ import annotations

import numpy as np

from models.kernel import inline

# Finite, because the kernels are compiled under the assumption that no infinity occurs.
EXCLUDED = np.float32(-1e30)
"""The score of what must not be chosen."""
NONE = -1
"""The row of nothing."""


@inline
def mean_rank(scores, target, candidate):
    """Return the rank of ``target`` among the candidates, itself one or not: 1 = best, ties at their mean rank."""
    above = 0
    equal = 0
    own = scores[target]
    for x in range(len(scores)):
        above += candidate[x] and scores[x] > own
        equal += candidate[x] and scores[x] == own
    return 1.0 + above + 0.5 * (equal - candidate[target])


@inline
def select(scores, rows, best):
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
