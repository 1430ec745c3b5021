"""What scoring needs to know of users: their recent items as rows of the model, what they thought of them, and whether
they go on, come back or are new.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.learning import HISTORY
from models.combine import KNOWN_AFTER, LONG_AWAY_S, NEWCOMER, RETURNS_AFTER_S
from models.opinions import DISLIKED, opinions, split
from models.selection import NONE

_LONGEST_S = np.iinfo(np.int32).max


@dataclass(slots=True)
class Profiles:
    """Users at one moment.

    Attributes
    ----------
    recent : ndarray of int32, shape (b, HISTORY)
        Rows of their recent items, newest first, -1 = none, or disliked: that is no context for what comes next.
    judged : ndarray of int32, shape (b, HISTORY)
        Rows of those that they have an opinion of, at the same places.
    opinion : ndarray of float32, shape (b, HISTORY)
        What it is, see :mod:`models.opinions`; 0 = none.
    context : ndarray of int8, shape (b,)
        Position in :data:`models.combine.CONTEXTS`.
    """

    recent: NDArray[np.int32]
    judged: NDArray[np.int32]
    opinion: NDArray[np.float32]
    context: NDArray[np.int8]

    def __len__(self) -> int:
        """Return the number of users."""
        return len(self.recent)


def profiles(
    rows: NDArray[np.int32],
    lengths: NDArray[np.uint8],
    values: NDArray[np.floating],
    gaps: NDArray[np.int64],
    scale: NDArray[np.float64],
) -> Profiles:
    """Return the profiles of users.

    Parameters
    ----------
    rows : ndarray of int32, shape (b, HISTORY)
        Of their recent items, newest first.
    lengths : ndarray of uint8, shape (b,)
        So many of them count.
    values : ndarray of float, shape (b, HISTORY)
        Ratings; NaN for none, -inf for a dislike.
    gaps : ndarray of int64, shape (b,)
        Seconds since their last events.
    scale : ndarray of float64, shape (3,)
        See :func:`models.opinions.opinions`.
    """
    held = np.arange(HISTORY) < lengths[:, None]
    judgements, numbers = split(values)
    judgements[~held] = 0
    opinion = opinions(judgements, numbers, scale)
    rows = np.where(held, rows, NONE).astype(np.int32)
    return Profiles(
        recent=np.where(judgements == DISLIKED, NONE, rows).astype(np.int32),
        judged=np.where(opinion != 0.0, rows, NONE).astype(np.int32),
        opinion=opinion,
        context=contexts(gaps, lengths),
    )


def contexts(gaps: NDArray[np.int64], lengths: NDArray[np.uint8]) -> NDArray[np.int8]:
    """Return :func:`models.combine.context_of` of many, shape (b,)."""
    away = (gaps > RETURNS_AFTER_S).astype(np.int8) + (gaps > LONG_AWAY_S)
    return np.where((lengths > 0) & (lengths <= KNOWN_AFTER), np.int8(NEWCOMER), away)


def pause(ms: NDArray[np.int64], lengths: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return pauses before events in seconds, within what a lesson holds; 0 where there is no history."""
    return np.where(lengths > 0, np.clip(ms // 1000, 0, _LONGEST_S), 0)
