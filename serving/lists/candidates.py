"""Items that a caller brings, in the order in which they suit somebody. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from serving.lists.recommend import Source

CANDIDATES = "candidates"
TASTE = "embeddings"  # the scorer that the published vectors belong to


def ordered(
    candidates: Sequence[str],
    own: Source | None,
    user: NDArray[np.float32] | None = None,
    vectors: Mapping[str, NDArray[np.float32]] | None = None,
) -> Source:
    """Return candidates in the order of a list, then of the vectors, then as they came.

    Parameters
    ----------
    candidates : sequence of str
    own : Source or None
        A list for the user or the session.
    user : ndarray of float32, shape (d,), or None
        His published vector.
    vectors : mapping of str to ndarray of float32, shape (d,)
        Those of the candidates.

    Returns
    -------
    Source
        Each candidate once. Scores are those of the list, or user · item, or 0, and fall only within each of the three.
    """
    places = {item: place for place, item in reversed(list(enumerate(own.items)))} if own is not None else {}
    tastes = {
        item: float(user @ vector)
        for item, vector in (vectors or {}).items()
        if user is not None and vector.shape == user.shape
    }
    tastes = {item: taste for item, taste in tastes.items() if np.isfinite(taste)}
    items, scores, reasons = [], [], []

    def put(item: str, score: float, reason: list[str]) -> None:
        items.append(item)
        scores.append(round(score, 4))
        reasons.append(reason)

    distinct = list(dict.fromkeys(candidates))
    listed = sorted((item for item in distinct if item in places), key=places.__getitem__)
    for item in listed:
        assert own is not None
        entry = own.entry(places[item])
        put(item, entry.score, entry.reasons)
    others = [item for item in distinct if item not in places]
    for item in sorted((item for item in others if item in tastes), key=lambda item: -tastes[item]):
        put(item, tastes[item], [TASTE])
    for item in others:
        if item not in tastes:
            put(item, 0.0, [])
    return Source(CANDIDATES, items, scores, reasons, time=own.time if own is not None else None)
