"""Ridge regression that learns one example at a time: recursive least squares, exact at every step.

For inputs x, outputs y and weights w it holds ``M = (Σ w x xᵀ + r I)⁻¹ Σ w x yᵀ``, the map that minimises
``Σ w |y − Mᵀx|² + r |M|²``. As long as little has been learned, predictions stay near 0. An example costs O(d²) (the
inverse by Sherman and Morrison's formula) and O(d m) (the map).

References
----------
Sherman, Morrison: Adjustment of an Inverse Matrix Corresponding to a Change in One Element. Annals of Mathematical
Statistics 21(1), 1950. Haykin: Adaptive Filter Theory, chapter 10 (recursive least squares).
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.kernel import kernel


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
        """Learn examples in their order: x of shape (n, d), y (n, m), weights (n,)."""
        _learn(x, y, weights, self.inverse, self.map)
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
    d, outputs = m.shape
    gain, error = np.empty(d), np.empty(outputs)
    for n in range(len(x)):
        gain[:] = 0.0
        error[:] = y[n]
        for i in range(d):
            value = x[n, i]
            if value != 0.0:  # few are: a short text fills few elements
                for j in range(d):
                    gain[j] += value * inverse[i, j]  # its rows are its columns
                for j in range(outputs):
                    error[j] -= value * m[i, j]
        spread = 1.0 / weights[n]
        for i in range(d):
            spread += x[n, i] * gain[i]
        for i in range(d):
            share = gain[i] / spread
            for j in range(d):
                inverse[i, j] -= share * gain[j]
            for j in range(outputs):
                m[i, j] += share * error[j]


@kernel
def _predict(x, m, y):
    for n in range(len(x)):
        for i in range(x.shape[1]):
            if x[n, i] != 0.0:
                for j in range(m.shape[1]):
                    y[n, j] += x[n, i] * m[i, j]
