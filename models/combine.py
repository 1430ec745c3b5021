"""The blend: one score per item from the scorers' own, each standardised over the user's candidates.

``score(x) = Σ_f weight_f · (f(x) − mean_f) / deviation_f`` with mean and deviation over the known items that the user
has not had. The weights are a preset that is strong on dense and on sparse data alike; the blend is additive, so every
score can be explained by its own terms.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.catalogue import Catalogue
from models.kernel import inline
from models.scorers import cooccurrence
from models.scorers.cooccurrence import Cooccurrence
from models.scorers.embeddings import Embeddings

SCORERS = ("embeddings", "followed", "together")
PRESET = np.array([1.0, 0.5, 0.5], np.float32)
# Finite, because the kernels are compiled under the assumption that no infinity occurs.
EXCLUDED = np.float32(-1e30)


class Tables(NamedTuple):
    """The arrays that scoring reads, as one argument for the kernels."""

    known: NDArray[np.bool_]  # (rows,)
    inputs: NDArray[np.float32]
    outputs: NDArray[np.float32]
    biases: NDArray[np.float32]
    neighbours: NDArray[np.int32]
    after: NDArray[np.int32]
    before: NDArray[np.int32]
    used: NDArray[np.int32]
    totals: NDArray[np.int64]


def tables(catalogue: Catalogue, embeddings: Embeddings, pairs: Cooccurrence) -> Tables:
    """Return views on the rows in use."""
    n = len(catalogue)
    return Tables(
        catalogue.is_known(),
        embeddings.inputs[:n],
        embeddings.outputs[:n],
        embeddings.biases[:n],
        pairs.neighbours[:n],
        pairs.after[:n],
        pairs.before[:n],
        pairs.used[:n],
        pairs.totals[:n],
    )


@inline
def blend(products, recent, candidate, t, followed, together, scales, out):
    """Score all items for one user.

    Parameters
    ----------
    products : ndarray of float32, shape (rows,)
        The user's vector times every output embedding.
    recent : ndarray of int32, shape (HISTORY,)
        Rows of his recent items, newest first, -1 = none.
    candidate : ndarray of bool, shape (rows,)
        The known items that he has not had: what mean and deviation are taken over.
    t : Tables
    followed, together, out : ndarray of float32, shape (rows,)
        Scratch, and the result.
    scales : ndarray of float32, shape (len(SCORERS),)
        Result: what each scorer's own score is multiplied with, weight over deviation.
    """
    n = len(out)
    for x in range(n):
        followed[x] = 0.0
        together[x] = 0.0
        out[x] = products[x] + t.biases[x]
    cooccurrence.score(recent, t.neighbours, t.after, t.before, t.used, t.totals, followed, together)

    # In double precision: a scorer that says the same of all items must come out with no deviation at all.
    count = 0.0
    e1 = e2 = f1 = f2 = s1 = s2 = 0.0
    for x in range(n):
        c = np.float64(candidate[x])
        e, f, s = c * out[x], c * followed[x], c * together[x]
        count += c
        e1 += e
        e2 += e * e
        f1 += f
        f2 += f * f
        s1 += s
        s2 += s * s
    count = max(count, 1.0)
    scales[0] = PRESET[0] * _inverse_deviation(e1 / count, e2 / count)
    scales[1] = PRESET[1] * _inverse_deviation(f1 / count, f2 / count)
    scales[2] = PRESET[2] * _inverse_deviation(s1 / count, s2 / count)
    centre = np.float32((scales[0] * e1 + scales[1] * f1 + scales[2] * s1) / count)
    for x in range(n):
        out[x] = scales[0] * out[x] + scales[1] * followed[x] + scales[2] * together[x] - centre


@inline
def _inverse_deviation(mean, mean_of_squares):
    variance = mean_of_squares - mean * mean
    # Below the precision of single scores it is rounding, not an opinion.
    return np.float32(1.0 / np.sqrt(variance)) if variance > 1e-12 * (1.0 + mean_of_squares) else np.float32(0.0)
