"""The scorers and the blend written plainly in float64 Python: what the kernels must give."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.combine import PRESET, SCORERS, Tables
from models.scorers.cooccurrence import UNITS, WINDOW
from models.scorers.embeddings import DECAYS

Array = NDArray[np.float64]
FORWARD = 1e-3  # a history's terms count while their decay is at least that
GRADIENT = 1e-2


def user_vector(recent: list[int], inputs: Array) -> Array:
    """Return Σ_s Σ_k γ_s^k · E_in[h_k, s]; ``recent`` newest first, -1 = unknown."""
    vector = np.zeros(inputs.shape[2])
    for s, decay in enumerate(DECAYS):
        for k, row in enumerate(recent):
            if row >= 0 and decay**k >= FORWARD:
                vector += decay**k * inputs[row, s]
    return vector


def pair_counts(t: Tables, row: int) -> tuple[Array, Array]:
    """Return how often each item came after, and before, an item: over all rows, in units of 1/2520."""
    after, before = np.zeros(len(t.known)), np.zeros(len(t.known))
    for slot in range(t.used[row]):
        after[t.neighbours[row, slot]] = t.after[row, slot]
        before[t.neighbours[row, slot]] = t.before[row, slot]
    return after, before


class Terms(NamedTuple):
    """What each of a user's earlier items adds to every item's score, before scaling: (HISTORY, rows) each."""

    embeddings: Array
    followed: Array
    together: Array


def terms(recent: list[int], t: Tables) -> Terms:
    """Return the terms of all scorers; ``recent`` newest first, -1 = unknown or none."""
    shape = len(recent), len(t.known)
    found = Terms(np.zeros(shape), np.zeros(shape), np.zeros(shape))
    inputs, outputs = t.inputs.astype(np.float64), t.outputs.astype(np.float64)
    for k, row in enumerate(recent):
        if row < 0:
            continue
        vector = sum(decay**k * inputs[row, s] for s, decay in enumerate(DECAYS) if decay**k >= FORWARD)
        found.embeddings[k] = outputs @ vector
        if k < WINDOW:
            after, before = pair_counts(t, row)
            found.followed[k] = np.sqrt(after) / np.sqrt(max(t.totals[row, 0], UNITS)) / (k + 1)
            found.together[k] = np.sqrt(after + before) / np.sqrt(max(t.totals[row, 1], UNITS)) / (k + 1)
    return found


class Blend(NamedTuple):
    """The blend's result: scores (rows,), scales (scorers,), and what was subtracted from all scores."""

    scores: Array
    scales: Array
    centre: float


def blend(recent: list[int], candidate: NDArray[np.bool_], t: Tables) -> Blend:
    """Return Σ_f weight_f · (f(x) − mean_f) / deviation_f, mean and deviation over the candidates."""
    found = terms(recent, t)
    scores = [each.sum(axis=0) for each in found]
    scores[0] = scores[0] + t.biases
    scales = np.zeros(len(SCORERS))
    total, centre = np.zeros(len(t.known)), 0.0
    for index, score in enumerate(scores):
        deviation = score[candidate].std() if candidate.any() else 0.0
        scales[index] = PRESET[index] / deviation if deviation > 1e-6 else 0.0
        total += scales[index] * score
        centre += scales[index] * (score[candidate].mean() if candidate.any() else 0.0)
    return Blend(total - centre, scales, centre)


def candidates(t: Tables, seen: list[int]) -> NDArray[np.bool_]:
    """Return the known items that a user has not had."""
    candidate = t.known.copy()
    candidate[[row for row in seen if row >= 0]] = False
    return candidate


def mean_rank(scores: Array, target: int, candidate: NDArray[np.bool_], tolerance: float = 0.0) -> float:
    """Return 1 + the number of better candidates + half the number of the other equal ones."""
    others = candidate.copy()
    others[target] = False
    above = (scores > scores[target] + tolerance) & others
    equal = (abs(scores - scores[target]) <= tolerance) & others
    return 1.0 + above.sum() + 0.5 * equal.sum()
