"""Item embeddings learned by an online sampled softmax over a decayed, multi-timescale user state.

A user's vector is ``u = Σ_s Σ_k γ_s^k · E_in[h_k, s]`` over his recent items h_0 (newest), h_1, … and three decays γ,
so no parameter belongs to a user. Each event is one softmax over the item chosen and 200 others drawn uniformly from
the known items; gradients go to the output rows, the biases and the input rows of the history, scaled by row-wise
Adagrad.

Learning is sequential on purpose. Sharing negatives between consecutive events, or batching them, costs 4-20 % of
HR@10: a user's burst pushes the same negatives again and again.

References
----------
Jean, Cho, Memisevic, Bengio: On Using Very Large Target Vocabulary for NMT. ACL 2015 (sampled softmax).
Duchi, Hazan, Singer: Adaptive Subgradient Methods. JMLR 2011 (Adagrad).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.learning import HISTORY
from models.kernel import draw_below, draw_normals, grown, kernel

DIMENSIONS = 64
DECAYS = (0.3, 0.8, 0.97)
NEGATIVES = 200
# Fewer known items than this say nothing about the one chosen.
ENOUGH_KNOWN = 30
_SCALES = len(DECAYS)
_RATE = np.float32(0.05)
_L2 = np.float32(1e-3)
_FIRST = np.float32(0.1)  # the accumulators' start: keeps the first steps small
_EPSILON = np.float32(1e-6)
_NORMAL = 0.05  # standard deviation of a new row

_WEIGHTS = np.array([[decay**k for k in range(HISTORY)] for decay in DECAYS], np.float32)
# A term that small does not change the sum, and a gradient through it does not change the row.
_REACH = np.array([int((weights >= 1e-3).sum()) for weights in _WEIGHTS])
_GRADIENT_REACH = np.array([int((weights >= 1e-2).sum()) for weights in _WEIGHTS])


class Embeddings:
    """Input and output embeddings of every item.

    Attributes
    ----------
    inputs : ndarray of float32, shape (capacity, 3, d)
        What an item in a user's history adds to his vector, per decay.
    outputs : ndarray of float32, shape (capacity, d)
        What his vector is compared with.
    biases : ndarray of float32, shape (capacity,)
    """

    def __init__(self, capacity: int) -> None:
        self.inputs = np.zeros((capacity, _SCALES, DIMENSIONS), np.float32)
        self.outputs = np.zeros((capacity, DIMENSIONS), np.float32)
        self.biases = np.zeros(capacity, np.float32)
        self._input_sums = np.zeros((capacity, _SCALES), np.float32)
        self._output_sums = np.zeros(capacity, np.float32)
        self._bias_sums = np.zeros(capacity, np.float32)

    def grow(self, capacity: int) -> None:
        """Make room for ``capacity`` rows."""
        for name in _ARRAYS:
            setattr(self, name, grown(getattr(self, name), capacity))

    def start(self, first: int, keys: NDArray[np.uint64], seed: int) -> None:
        """Give the rows from ``first`` on, with these item keys, their random start: the same on every worker."""
        _start(first, keys, np.uint64(seed), self.inputs, self.outputs)
        rows = slice(first, first + len(keys))
        self._input_sums[rows] = self._output_sums[rows] = self._bias_sums[rows] = _FIRST

    def release(self, rows: NDArray[np.int32]) -> None:
        """Forget these rows; :meth:`start` gives them to other items."""
        for name in _ARRAYS:
            getattr(self, name)[rows] = 0.0

    def learn(
        self,
        rows: NDArray[np.int32],
        weights: NDArray[np.float32],
        history: NDArray[np.int32],
        starts: NDArray[np.int64],
        known: NDArray[np.int32],
        known_at: NDArray[np.int64],
        seed: int,
    ) -> None:
        """Learn events in their order.

        Parameters
        ----------
        rows, weights, history, starts
            As in :meth:`models.scorers.cooccurrence.Cooccurrence.learn`.
        known : ndarray of int32
            Rows of the known items.
        known_at : ndarray of int64, shape (n,)
            How many of them were known at each event.
        seed : int
            For the negatives.
        """
        _learn(
            rows, weights, history, starts, known, known_at, np.uint64(seed),
            self.inputs, self.outputs, self.biases, self._input_sums, self._output_sums, self._bias_sums,
        )  # fmt: skip

    def users(self, recent: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return the vectors, shape (b, d), of users whose recent rows, newest first, -1 = none, are (b, HISTORY)."""
        vectors = np.zeros((len(recent), DIMENSIONS), np.float32)
        _users(recent, self.inputs, vectors)
        return vectors

    def state(self, rows: int) -> dict[str, Any]:
        """Return what a checkpoint must hold of the first ``rows`` rows."""
        return {name: getattr(self, name)[:rows].copy() for name in _ARRAYS}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over :meth:`state`."""
        for name in _ARRAYS:
            getattr(self, name)[: len(state[name])] = state[name]


_ARRAYS = ("inputs", "outputs", "biases", "_input_sums", "_output_sums", "_bias_sums")


@kernel
def _start(first, keys, seed, inputs, outputs):
    for position in range(len(keys)):
        own = keys[position] ^ (seed * np.uint64(0xD1342543DE82EF95))
        draw_normals(own, _NORMAL, inputs[first + position].reshape(-1))
        draw_normals(~own, _NORMAL, outputs[first + position])


@kernel
def _users(recent, inputs, vectors):
    for user in range(len(recent)):
        for s in range(_SCALES):
            for k in range(_REACH[s]):
                row = recent[user, k]
                if row >= 0:
                    weight = _WEIGHTS[s, k]
                    for d in range(DIMENSIONS):
                        vectors[user, d] += weight * inputs[row, s, d]


@kernel
def _learn(
    rows, weights, history, starts, known, known_at, seed,
    inputs, outputs, biases, input_sums, output_sums, bias_sums,
):  # fmt: skip
    user = np.empty(DIMENSIONS, np.float32)
    gradient = np.empty(DIMENSIONS, np.float32)
    drawn = np.empty(NEGATIVES + 1, np.int32)
    error = np.empty(NEGATIVES + 1, np.float32)
    for event in range(len(rows)):
        length = min(starts[event + 1] - starts[event], HISTORY)
        if length == 0 or known_at[event] <= ENOUGH_KNOWN or weights[event] <= 0.0:
            continue
        recent = history[starts[event] : starts[event] + length]
        target = rows[event]

        user[:] = 0.0
        for s in range(_SCALES):
            for k in range(min(_REACH[s], length)):
                if recent[k] >= 0:
                    for d in range(DIMENSIONS):
                        user[d] += _WEIGHTS[s, k] * inputs[recent[k], s, d]

        # The negatives, then the item chosen: the order in which rows are updated.
        n = 0
        own = seed + (np.uint64(event) << np.uint64(32))
        for index in range(NEGATIVES):
            row = known[draw_below(own, np.uint64(index), known_at[event])]
            if row != target:
                drawn[n] = row
                n += 1
        drawn[n] = target
        n += 1

        largest = np.float32(-1e30)
        for j in range(n):
            logit = biases[drawn[j]]
            dot = np.float32(0.0)
            for d in range(DIMENSIONS):
                dot += user[d] * outputs[drawn[j], d]
            error[j] = logit + dot
            largest = max(largest, error[j])
        total = np.float32(0.0)
        for j in range(n):
            error[j] = np.float32(math.exp(error[j] - largest))
            total += error[j]
        for j in range(n):
            error[j] /= total
        error[n - 1] -= np.float32(1.0)

        norm = np.float32(0.0)
        for d in range(DIMENSIONS):
            norm += user[d] * user[d]
        norm /= np.float32(DIMENSIONS)
        gradient[:] = 0.0
        for j in range(n):
            row = drawn[j]
            e = error[j] * weights[event]
            output_sums[row] += e * e * norm
            rate = _RATE / np.sqrt(output_sums[row] + _EPSILON)
            keep = np.float32(1.0) - _L2 * rate
            step = rate * e
            for d in range(DIMENSIONS):
                gradient[d] += e * outputs[row, d]
                outputs[row, d] = keep * outputs[row, d] - step * user[d]
            bias_sums[row] += e * e
            biases[row] -= _RATE * e / np.sqrt(bias_sums[row] + _EPSILON)

        square = np.float32(0.0)
        for d in range(DIMENSIONS):
            square += gradient[d] * gradient[d]
        square /= np.float32(DIMENSIONS)
        for s in range(_SCALES):
            for k in range(min(_GRADIENT_REACH[s], length)):
                row = recent[k]
                if row < 0:
                    continue
                weight = _WEIGHTS[s, k]
                input_sums[row, s] += weight * weight * square
                rate = _RATE / np.sqrt(input_sums[row, s] + _EPSILON)
                keep = np.float32(1.0) - _L2 * rate
                step = rate * weight
                for d in range(DIMENSIONS):
                    inputs[row, s, d] = keep * inputs[row, s, d] - step * gradient[d]
