"""Ridge regression that learns as it goes: recursive least squares, exact at every step.

For inputs x, outputs y and weights w it holds ``M = (Σ w x xᵀ + r I)⁻¹ Σ w x yᵀ``, the map that minimises
``Σ w |y − Mᵀx|² + r |M|²``. As long as little has been learned, predictions stay near 0. An example costs O(d (d + m)),
but up to sixteen at once share one walk through the inverse and the map, which is what takes long (Woodbury's formula).

References
----------
Woodbury: Inverting Modified Matrices. Princeton, 1950. Haykin: Adaptive Filter Theory, chapter 10 (recursive least
squares).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.kernel import inline, kernel

_AT_ONCE = 16
_LANES = 4  # of these so many at a time, while a row is at hand


class Ridge:
    """A linear map from d inputs to m outputs.

    Parameters
    ----------
    d, m : int
    strength : float
        r, how strongly the map is drawn to 0.

    Attributes
    ----------
    inverse : ndarray of float64, shape (d, d)
        Of the weighted sum of squares of the inputs, the penalty included.
    map : ndarray of float64, shape (d, m)
    learned : int
        Examples learned.
    """

    def __init__(self, d: int, m: int, strength: float) -> None:
        self.inverse = np.eye(d) / strength
        self.map = np.zeros((d, m))
        self.learned = 0

    def learn(self, x: NDArray[np.float64], y: NDArray[np.float64], weights: NDArray[np.float64]) -> None:
        """Learn examples: x of shape (n, d), y (n, m), weights (n,)."""
        for start in range(0, len(x), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            _learn(x[part], y[part], weights[part], self.inverse, self.map)
        self.learned += len(x)

    def predict(self, x: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the outputs (n, m) for inputs (n, d)."""
        y = np.zeros((len(x), self.map.shape[1]))
        _predict(x, self.map, y)
        return y

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint must hold."""
        return {"inverse": self.inverse.copy(), "map": self.map.copy(), "learned": self.learned}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over :meth:`state`."""
        self.inverse[:], self.map[:], self.learned = state["inverse"], state["map"], state["learned"]


@kernel
def _learn(x, y, weights, inverse, m):
    n, d, outputs = len(x), len(inverse), m.shape[1]
    lanes = -(-n // _LANES) * _LANES  # what there is too much of stays zero
    gains, errors = np.zeros((lanes, d)), np.zeros((lanes, outputs))
    for k in range(n):
        gain, error = gains[k], errors[k]
        error[:] = y[k]
        for i in range(d):
            value = x[k, i]
            if value != 0.0:  # few are: a short text fills few elements
                for j in range(d):
                    gain[j] += value * inverse[i, j]  # its rows are its columns
                for j in range(outputs):
                    error[j] -= value * m[i, j]
    spread = np.zeros((n, n))
    for k in range(n):
        spread[k, k] = 1.0 / weights[k]
        for i in range(d):
            if x[k, i] != 0.0:
                for other in range(n):
                    spread[k, other] += x[k, i] * gains[other, i]
    shares = gains.copy()
    _solve(spread, shares)
    for i in range(d):
        for k in range(0, lanes, _LANES):
            _subtract(i, k, shares, gains, 1.0, inverse[i])
            _subtract(i, k, shares, errors, -1.0, m[i])


@inline
def _solve(spread, shares):
    """Solve ``spread · s = shares`` in place, by elimination; symmetric and positive definite, it needs no pivots."""
    n = len(spread)
    for k in range(n):
        for below in range(k + 1, n):
            factor = spread[below, k] / spread[k, k]
            _take(factor, spread[k], spread[below])
            _take(factor, shares[k], shares[below])
    for k in range(n - 1, -1, -1):
        for j in range(shares.shape[1]):
            shares[k, j] /= spread[k, k]
        for above in range(k):
            _take(spread[above, k], shares[k], shares[above])


@inline
def _take(factor, row, out):
    for j in range(len(out)):
        out[j] -= factor * row[j]


@inline
def _subtract(i, k, shares, rows, sign, out):
    """Take four rows from ``k`` on, times their shares in element i, from ``out``."""
    s0, s1, s2, s3 = shares[k, i] * sign, shares[k + 1, i] * sign, shares[k + 2, i] * sign, shares[k + 3, i] * sign
    r0, r1, r2, r3 = rows[k], rows[k + 1], rows[k + 2], rows[k + 3]
    for j in range(len(out)):
        out[j] -= s0 * r0[j] + s1 * r1[j] + s2 * r2[j] + s3 * r3[j]


@kernel
def _predict(x, m, y):
    for n in range(len(x)):
        for i in range(x.shape[1]):
            if x[n, i] != 0.0:
                for j in range(m.shape[1]):
                    y[n, j] += x[n, i] * m[i, j]
