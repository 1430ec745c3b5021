"""The largest of many scores, and where one of them stands among the others."""

from __future__ import annotations

import numpy as np

from models.kernel import inline

# Finite, because the kernels are compiled under the assumption that no infinity occurs.
EXCLUDED = np.float32(-1e30)
"""The score of what must not be chosen."""
NONE = -1
"""The row of nothing."""
_COLUMNS = 4  # so many columns for each score wanted …
_DEEPEST = 32  # … of so many scores at most
_PROBES = 40


@inline
def mean_rank(scores, target, candidate):
    """Return the rank of ``target`` among the candidates, itself one or not: 1 = best, ties at their mean rank."""
    above, equal = counts_above(scores, scores[target], candidate)
    return 1.0 + above + 0.5 * (equal - candidate[target])


@inline
def counts_above(scores, limit, candidate):
    """Return how many candidates stand above a limit, and how many on it."""
    # In 32 bits and without branches: this is done for all items.
    above = equal = np.int32(0)
    for x in range(len(candidate)):
        above = np.int32(above + np.int32(candidate[x] & (scores[x] > limit)))
        equal = np.int32(equal + np.int32(candidate[x] & (scores[x] == limit)))
    return above, equal


@inline
def select(scores, rows, best):
    """Write the largest scores and their rows, best first, equal ones in the order of rows; return how many there are.

    The scores are dealt into columns. At least ``wanted`` scores reach the ``wanted``-th largest of the columns'
    maxima, and hardly more do, because the best ones seldom meet in a column: that limit is found among the maxima, and
    only the columns that reach it are looked at again.
    """
    wanted = len(rows)
    depth = max(1, min(_DEEPEST, len(scores) // max(_COLUMNS * wanted, 1)))
    maxima = scores[: len(scores) // depth].copy()
    columns = len(maxima)
    for level in range(1, depth + 1):
        part = scores[level * columns : (level + 1) * columns]
        for column in range(len(part)):
            score, most = part[column], maxima[column]
            maxima[column] = score if score > most else most
    limit = _limit(maxima, wanted)

    reaching = np.empty(columns, np.int32)
    n = 0
    for column in range(columns):
        reaching[n] = column
        n += maxima[column] >= limit
    found = np.empty(n * (depth + 1), np.int32)
    k = 0
    for level in range(depth + 1):
        for index in range(n):
            x = level * columns + reaching[index]
            if x < len(scores) and scores[x] >= limit and scores[x] > EXCLUDED:
                found[k] = x
                k += 1
    found = found[:k]
    # Stable, so that equal scores stand in the order of their rows.
    order = np.argsort(-scores[found], kind="mergesort")
    length = min(wanted, k)
    for position in range(length):
        rows[position] = found[order[position]]
        best[position] = scores[rows[position]]
    return length


@inline
def _limit(scores, wanted):
    """Return what at least ``wanted`` of the scores reach, and not many more; what all reach where there are fewer.

    By bisection between what all reach and the maximum; each probe is one vectorised count.
    """
    low, high = -EXCLUDED, EXCLUDED
    finite = 0
    for x in range(len(scores)):
        s = scores[x]
        finite += s > EXCLUDED
        low = min(low, s if s > EXCLUDED else -EXCLUDED)
        high = max(high, s)
    if finite < wanted:
        return scores.dtype.type(EXCLUDED)
    passed = finite
    for _ in range(_PROBES):
        # Ties may keep the count from ever coming down to ``wanted``.
        middle = low + (high - low) * np.float32(0.5)
        if passed <= wanted + wanted // 8 or middle <= low or middle >= high:
            break
        count = 0
        for x in range(len(scores)):
            count += scores[x] >= middle
        if count >= wanted:
            low, passed = middle, count
        else:
            high = middle
    return low
