"""What a visitor thought of an item: from what he did and how he rated it to one number.

A rating counts in units of the deviation of all ratings around their mean, within ±2; a dislike, skip or hide counts
−1.5; what he only used, 0. As arrays: a *judgement* (0 none, 1 rated, −1 disliked) and a *value* (the rating), so that
kernels, which are compiled as if there were no NaN and no infinity, never meet one.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.kernel import inline, kernel

RATED, DISLIKED = 1, -1
_DISLIKE = np.float32(-1.5)
_REACH = np.float32(2.0)
_SETTLED = 10.0  # ratings, before their deviation is known
# One rating far off must not stretch the scale for all others: from so many ratings on, further than so many deviations
# counts as so many.
_KNOWN_WELL = 30.0
_FURTHEST = 4.0


def split(values: NDArray[np.floating]) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Return judgements and values of what lessons and histories hold: a rating, NaN for none, -inf for a dislike."""
    judgements = np.isfinite(values).astype(np.int8)
    judgements[np.isneginf(values)] = DISLIKED
    return judgements, np.where(judgements == RATED, values, 0).astype(np.float32)


def opinions(
    judgements: NDArray[np.int8], values: NDArray[np.float32], scale: NDArray[np.float64]
) -> NDArray[np.float32]:
    """Return the opinions, shaped like ``judgements``; ``scale``: ratings so far, their mean, Σ (rating − mean)²."""
    out = np.empty(judgements.shape, np.float32)
    _opinions(judgements.reshape(-1), values.reshape(-1), scale, out.reshape(-1))
    return out


@kernel
def _opinions(judgements, values, scale, out):
    for k in range(len(out)):
        out[k] = opinion_of(judgements[k], values[k], scale)


@inline
def opinion_of(judgement, value, scale):
    """Return one opinion."""
    if judgement == DISLIKED:
        return _DISLIKE
    if judgement == 0 or scale[0] < _SETTLED or scale[2] <= 0.0:
        return np.float32(0.0)
    deviations = (value - scale[1]) / np.sqrt(scale[2] / scale[0])
    return np.float32(max(-_REACH, min(_REACH, deviations)))


@inline
def rated(rating, scale):
    """Take a rating into the running mean and deviation (Welford 1962)."""
    off = np.float64(rating) - scale[1]
    if scale[0] >= _KNOWN_WELL and scale[2] > 0.0:
        furthest = _FURTHEST * np.sqrt(scale[2] / scale[0])
        off = max(-furthest, min(furthest, off))
    scale[0] += 1.0
    scale[1] += off / scale[0]
    scale[2] += off * (off - off / scale[0])
