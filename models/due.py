"""Whose lists should be made anew though they do nothing: who will come back another way, and whose list is stale."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

# A list is old enough to be made anew when its age is this part of the time for which its user has been silent: about
# five times while that time doubles.
_PATIENCE = 8


class Limits(NamedTuple):
    """How long silent users are thought of, in ms."""

    turns_ms: tuple[int, ...]
    """After each of these a list is made differently, see :data:`models.combine.CONTEXTS`."""
    gone_ms: int
    """After so long a user is gone."""


def due(
    here: NDArray[np.bool_],
    stale: NDArray[np.bool_],
    acted: NDArray[np.int64],
    made: NDArray[np.int64],
    n: int,
    now_ms: int,
    limits: Limits,
) -> NDArray[np.int32]:
    """Return up to ``n`` slots of users whose lists should be made anew, the most due first.

    First those who have fallen silent for so long that their next visit will be of another kind, once each. Then
    those whose lists are stale and old for how long the user has been silent: who was here a minute ago is served
    before who was here yesterday, and the longer somebody is away, the less he costs.

    Parameters
    ----------
    here : ndarray of bool, shape (slots,)
        Whether there is a user in the slot to make a list for.
    stale : ndarray of bool, shape (slots,)
        Whether more has been learned since his list was made.
    acted, made : ndarray of int64, shape (slots,)
        When he was last heard of, and when his list was made, in ms.
    n : int
    now_ms : int
        By the clock of these.
    limits : Limits
    """
    silent, age = now_ms - acted, now_ms - made
    here = here & (silent < limits.gone_ms)
    left = np.zeros(len(here), np.bool_)
    for turn in limits.turns_ms:
        left |= here & (silent > turn) & (made - acted <= turn)
    old = here & stale & (age * _PATIENCE >= silent)
    slots = np.flatnonzero(left | old)
    urgency = np.where(left[slots], np.inf, age[slots] / (1000.0 + np.maximum(silent[slots], 0)))
    if len(slots) > n:
        most = np.argpartition(-urgency, n)[:n]
        slots, urgency = slots[most], urgency[most]
    return slots[np.argsort(-urgency, kind="stable")].astype(np.int32)
