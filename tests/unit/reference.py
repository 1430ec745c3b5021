"""The scorers and the blend written plainly in float64 NumPy: what the kernels must give."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from contracts.learning import HISTORY
from models.combine import EMBEDDINGS, OWN, STANDING, Tables
from models.profiles import Profiles
from models.scorers.audiences import Chosen
from models.scorers.cooccurrence import UNITS, WINDOW, Pairs
from models.scorers.embeddings import DECAYS
from models.scorers.popularity import Counts
from models.scorers.recency import LastUses
from models.scorers.repeats import Returns

Array = NDArray[np.float64]
FORWARD = 1e-3  # a history's terms count while their decay is at least that
GRADIENT = 1e-2


def user_vector(recent: Sequence[int], inputs: Array) -> Array:
    """Return Σ_s Σ_k γ_s^k · E_in[h_k, s]; ``recent`` newest first, -1 = unknown."""
    vector = np.zeros(inputs.shape[2])
    for s, decay in enumerate(DECAYS):
        for k, row in enumerate(recent):
            if row >= 0 and decay**k >= FORWARD:
                vector += decay**k * inputs[row, s]
    return vector


def user(
    recent: Sequence[int], judged: Sequence[int] = (), opinion: Sequence[float] = (), context: int = 0
) -> Profiles:
    """Return the profile of one user; what is left out of ``judged`` and ``opinion`` is none."""
    profile = Profiles(
        np.full((1, HISTORY), -1, np.int32),
        np.full((1, HISTORY), -1, np.int32),
        np.zeros((1, HISTORY), np.float32),
        np.array([context], np.int8),
    )
    profile.recent[0, : len(recent)] = recent
    profile.judged[0, : len(judged)] = judged
    profile.opinion[0, : len(opinion)] = opinion
    return profile


def nobody() -> Profiles:
    """Return the profiles of no users."""
    one = user([])
    return Profiles(one.recent[:0], one.judged[:0], one.opinion[:0], one.context[:0])


def random_user(draw: np.random.Generator, n: int, longest: int = HISTORY) -> Profiles:
    """Return a user over n rows: some items unknown, some disliked, some judged, some had twice."""
    length = int(draw.integers(1, longest + 1))
    rows = draw.integers(-1, n, length)
    opinion = np.where(draw.random(length) < 0.5, draw.normal(0.0, 1.0, length), 0.0)
    disliked = draw.random(length) < 0.15
    opinion[disliked] = -1.5
    judged = np.where(opinion != 0.0, rows, -1)
    return user(np.where(disliked, -1, rows), judged, opinion, int(draw.integers(3)))


def together(users: Sequence[Profiles]) -> Profiles:
    """Return the profiles of some users as one."""
    columns = ([getattr(each, name) for each in users] for name in ("recent", "judged", "opinion", "context"))
    return Profiles(*(np.concatenate(column) for column in columns))


def pair_counts(p: Pairs, row: int, n: int) -> tuple[Array, Array]:
    """Return how often each of n items came after, and before, an item, in units of 1/2520."""
    after, before = np.zeros(n), np.zeros(n)
    for place in range(p.starts[row], p.starts[row] + p.rooms[row]):
        if p.neighbours[place] != row:
            after[p.neighbours[place]] = p.after[place]
            before[p.neighbours[place]] = p.before[place]
    return after, before


class Terms(NamedTuple):
    """What each of a user's earlier items adds to every item's score, before scaling: (HISTORY, rows) each."""

    embeddings: Array
    followed: Array
    together: Array
    opinion: Array


def terms(profile: Profiles, t: Tables) -> Terms:
    """Return the terms of the scorers that are sums over a user's earlier items."""
    n = len(t.known)
    found = Terms(*(np.zeros((HISTORY, n)) for _ in Terms._fields))
    inputs, outputs = t.vectors.inputs.astype(np.float64), t.vectors.outputs.astype(np.float64)
    for k in range(HISTORY):
        recent, judged, opinion = profile.recent[0, k], profile.judged[0, k], float(profile.opinion[0, k])
        if recent >= 0:
            vector = sum(decay**k * inputs[recent, s] for s, decay in enumerate(DECAYS) if decay**k >= FORWARD)
            found.embeddings[k] = outputs @ vector
        for row, each in ((recent, "context"), (judged, "opinion")):
            if row < 0 or k >= WINDOW:
                continue
            after, before = pair_counts(t.pairs, row, n)
            both = np.sqrt(after + before) / np.sqrt(max(t.pairs.totals[row, 1], UNITS)) / (k + 1)
            if each == "context":
                found.followed[k] = np.sqrt(after) / np.sqrt(max(t.pairs.totals[row, 0], UNITS)) / (k + 1)
                found.together[k] = both
            else:
                found.opinion[k] = opinion * both
    return found


def again(recent: Sequence[int], r: Returns) -> Array:
    """Return √(share of the item's events that were repeats · share of repeats at that lag), 0 elsewhere."""
    scores = np.zeros(len(r.events))
    repeats, events = float(r.lags[HISTORY]), float(r.lags[HISTORY + 1])
    if not repeats:
        return scores
    for k, row in reversed(list(enumerate(recent))):
        if row >= 0:
            own = (r.again[row] + 5.0 * repeats / events) / (r.events[row] + 5.0)
            scores[row] = np.sqrt(own * r.lags[k] / repeats)
    return scores


def own(profile: Profiles, t: Tables) -> Array:
    """Return what a user's own scorers say of all items, shape (len(OWN), rows)."""
    scores = np.zeros((len(OWN), len(t.known)))
    scores[:4] = [each.sum(axis=0) for each in terms(profile, t)]
    scores[EMBEDDINGS] += t.vectors.biases
    if t.allow_repeats:
        scores[OWN.index("again")] = again(profile.recent[0].tolist(), t.repeats)
    return scores


def decayed(c: Counts | Chosen) -> Array:
    """Return the counts in events of now, shape (rows, half-lives) or (rows, audiences)."""
    return np.asarray(c.counts * 0.5**c.ages)


def recency(r: LastUses) -> Array:
    """Return −L(n + 1) of each item for n events ago, L the logarithm drawn straight between powers of two."""
    age = (r.clock[0] - r.last + 1).astype(np.float64)
    power = np.floor(np.log2(age))
    return np.asarray(-(power + age / 2.0**power - 1.0))


def moments(scores: Array, candidate: NDArray[np.bool_]) -> tuple[float, float]:
    """Return mean and 1 / deviation over the candidates; 0 for what is no deviation beyond rounding."""
    if not candidate.any():
        return 0.0, 0.0
    deviation = float(scores[candidate].std())
    return float(scores[candidate].mean()), 1.0 / deviation if deviation > 1e-6 else 0.0


def standing(t: Tables) -> Array:
    """Return what the standing scorers say of all items, standardised over the known ones; counts of others: 0."""
    scores = np.concatenate([np.sqrt(decayed(t.popularity)).T, np.sqrt(decayed(t.audiences)).T, [recency(t.recency)]])
    assert len(scores) == len(STANDING)
    for each in scores:
        mean, inverse = moments(each, t.known)
        each[:] = (each - mean) * inverse
    scores[: STANDING.index("recent"), ~t.known] = 0.0
    return scores


class Blend(NamedTuple):
    """The blend's result: scores (rows,), scales of the own scorers, and what was subtracted from all scores."""

    scores: Array
    scales: Array
    shift: float


def blend(profile: Profiles, candidate: NDArray[np.bool_], t: Tables) -> Blend:
    """Return Σ_f weight_f · (f(x) − mean_f) / deviation_f, those of the own scorers over the candidates."""
    weights = t.weights[profile.context[0]].astype(np.float64)
    scores, scales, shift = own(profile, t), np.zeros(len(OWN)), 0.0
    for f, each in enumerate(scores):
        mean, inverse = moments(each, candidate)
        scales[f] = weights[f] * inverse
        shift += scales[f] * mean
    return Blend(scales @ scores + weights[len(OWN) :] @ standing(t) - shift, scales, shift)


def candidates(t: Tables, seen: Sequence[int]) -> NDArray[np.bool_]:
    """Return the known items that a user has not had, or all of them where repeats are allowed."""
    candidate = t.known.copy()
    if not t.allow_repeats:
        candidate[[row for row in seen if row >= 0]] = False
    return candidate


def mean_rank(scores: Array, target: int, candidate: NDArray[np.bool_], tolerance: float = 0.0) -> float:
    """Return 1 + the number of better candidates + half the number of the other equal ones."""
    others = candidate.copy()
    others[target] = False
    above = (scores > scores[target] + tolerance) & others
    equal = (abs(scores - scores[target]) <= tolerance) & others
    return 1.0 + above.sum() + 0.5 * equal.sum()
