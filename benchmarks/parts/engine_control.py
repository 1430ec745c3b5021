"""What plain NumPy takes for the core of it: the same matrix product and the same gradient step, and nothing else.

A *list* is one matrix product for 64 users, the 100 largest of each row by ``argpartition``, sorted. A *step* is one
event of the sampled softmax: logits of 200 negatives and the item, softmax, and the update of their rows.
"""

from __future__ import annotations

import numpy as np

from models.scorers.embeddings import DIMENSIONS, NEGATIVES

USERS = 64
LENGTH = 100


class NumPyControl:
    """Arrays of a catalogue's size, and the two loops over them."""

    def __init__(self, items: int) -> None:
        self._rng = np.random.default_rng(0)
        self._outputs = self._rng.normal(0, 0.05, (items, DIMENSIONS)).astype(np.float32)
        self._biases = np.zeros(items, np.float32)
        self._users = self._rng.normal(0, 1, (USERS, DIMENSIONS)).astype(np.float32)

    def lists(self, times: int) -> None:
        """Make the lists of 64 users, so many times."""
        for _ in range(times):
            scores = self._users @ self._outputs.T + self._biases
            for row in scores:
                best = np.argpartition(row, -LENGTH)[-LENGTH:]
                best[np.argsort(-row[best])]

    def steps(self, times: int) -> None:
        """Take so many gradient steps."""
        for index in range(times):
            user = self._users[index % USERS]
            rows = self._rng.integers(0, len(self._outputs), NEGATIVES + 1)
            outputs = self._outputs[rows]
            logits = outputs @ user + self._biases[rows]
            error = np.exp(logits - logits.max())
            error /= error.sum()
            error[-1] -= 1.0
            gradient = error @ outputs
            self._outputs[rows] -= 0.05 * np.outer(error, user)
            self._biases[rows] -= 0.05 * error
            self._users[index % USERS] = user - 0.001 * gradient
