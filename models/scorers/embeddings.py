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
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from contracts.learning import HISTORY
from models.arrays import RowArrays
from models.kernel import draw_below, draw_normals, inline, kernel

DIMENSIONS = 64
DECAYS = (0.3, 0.8, 0.97)
NEGATIVES = 200
# Fewer known items than this say nothing about the one chosen.
ENOUGH_KNOWN = 30
_SCALES = len(DECAYS)
PARAMETERS = (_SCALES + 1) * DIMENSIONS + 1
"""Of a row: its inputs, its outputs, its bias."""
_RATE = np.float32(0.05)
_L2 = np.float32(1e-3)
_FIRST = np.float32(0.1)  # the accumulators' start: keeps the first steps small
_EPSILON = np.float32(1e-6)
_NORMAL = 0.05  # standard deviation of a new row

WEIGHTS = np.array([[decay**k for k in range(HISTORY)] for decay in DECAYS], np.float32)
# A term that small does not change the sum, and a gradient through it does not change the row.
REACH = np.array([int((weights >= 1e-3).sum()) for weights in WEIGHTS])
_GRADIENT_REACH = np.array([int((weights >= 1e-2).sum()) for weights in WEIGHTS])


class Vectors(NamedTuple):
    """Embeddings as the kernels take them, see :class:`Embeddings`."""

    inputs: NDArray[np.float32]
    outputs: NDArray[np.float32]
    biases: NDArray[np.float32]
    input_sums: NDArray[np.float32]
    output_sums: NDArray[np.float32]
    bias_sums: NDArray[np.float32]


class Embeddings(RowArrays):
    """Input and output embeddings of every item.

    Attributes
    ----------
    inputs : ndarray of float32, shape (capacity, 3, d)
        What an item in a user's history adds to his vector, per decay.
    outputs : ndarray of float32, shape (capacity, d)
        What his vector is compared with.
    biases : ndarray of float32, shape (capacity,)
    input_sums, output_sums, bias_sums : ndarray of float32, shape (capacity, 3), (capacity,), (capacity,)
        Adagrad's sums of squared gradients.
    """

    by_row = ("inputs", "outputs", "biases", "input_sums", "output_sums", "bias_sums")

    def __init__(self, capacity: int) -> None:
        self.inputs = np.zeros((capacity, _SCALES, DIMENSIONS), np.float32)
        self.outputs = np.zeros((capacity, DIMENSIONS), np.float32)
        self.biases = np.zeros(capacity, np.float32)
        self.input_sums = np.zeros((capacity, _SCALES), np.float32)
        self.output_sums = np.zeros(capacity, np.float32)
        self.bias_sums = np.zeros(capacity, np.float32)

    def start(self, first: int, keys: NDArray[np.uint64], seed: int) -> None:
        """Give the rows from ``first`` on, with these item keys, their random start: the same on every worker."""
        _start(first, keys, np.uint64(seed), self.inputs, self.outputs)
        rows = slice(first, first + len(keys))
        self.biases[rows] = 0.0
        self.input_sums[rows] = self.output_sums[rows] = self.bias_sums[rows] = _FIRST

    def arrays(self, rows: int) -> Vectors:
        """Return the arrays of the rows in use."""
        return Vectors(*(getattr(self, name)[:rows] for name in self.by_row))

    def place(
        self, rows: NDArray[np.int32], keys: NDArray[np.uint64], seed: int, parameters: NDArray[np.float64]
    ) -> None:
        """Start these rows at given parameters, shape (m, PARAMETERS), plus their random start."""
        parts = parameters.astype(np.float32)
        for index, row in enumerate(rows.tolist()):
            self.start(row, keys[index : index + 1], seed)
        self.inputs[rows] += parts[:, : _SCALES * DIMENSIONS].reshape(-1, _SCALES, DIMENSIONS)
        self.outputs[rows] += parts[:, _SCALES * DIMENSIONS : -1]
        self.biases[rows] = parts[:, -1]

    def untouched(self, row: int) -> bool:
        """Return whether nothing was learned about a row since it was started."""
        sums = (self.bias_sums[row], self.output_sums[row], *self.input_sums[row])
        return all(total == _FIRST for total in sums)

    def users(self, recent: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return the vectors, shape (b, d), of users whose recent rows, newest first, -1 = none, are (b, HISTORY)."""
        vectors = np.zeros((len(recent), DIMENSIONS), np.float32)
        _users(recent, self.inputs, vectors)
        return vectors


@kernel
def _start(first, keys, seed, inputs, outputs):
    for position in range(len(keys)):
        own = keys[position] ^ (seed * np.uint64(0xD1342543DE82EF95))
        draw_normals(own, _NORMAL, inputs[first + position].reshape(-1))
        draw_normals(~own, _NORMAL, outputs[first + position])


@kernel
def _users(recent, inputs, vectors):
    for user in range(len(recent)):
        represent(recent[user], inputs, vectors[user])


@inline
def write_parameters(row, v, out):
    """Write the parameters of a row, shape (PARAMETERS,)."""
    for s in range(_SCALES):
        for d in range(DIMENSIONS):
            out[s * DIMENSIONS + d] = v.inputs[row, s, d]
    for d in range(DIMENSIONS):
        out[_SCALES * DIMENSIONS + d] = v.outputs[row, d]
    out[PARAMETERS - 1] = v.biases[row]


@inline
def represent(recent, inputs, vector):
    """Write the vector of a user whose earlier items, newest first, -1 where unknown, have these rows."""
    vector[:] = 0.0
    for s in range(_SCALES):
        for k in range(min(REACH[s], len(recent))):
            row = recent[k]
            if row >= 0:
                weight = WEIGHTS[s, k]
                for d in range(DIMENSIONS):
                    vector[d] += weight * inputs[row, s, d]


@inline
def learn(target, weight, user, recent, known, n_known, seed, v, drawn, error, gradient):
    """Learn one event.

    Parameters
    ----------
    target : int
        Row of its item.
    weight : float32
        How much it counts.
    user : ndarray of float32, shape (d,)
        The user's vector, see :func:`represent`.
    recent : ndarray of int32
        Rows of his earlier items, newest first, -1 where unknown.
    known, n_known : ndarray of int32, int
        Rows of the known items; the first ``n_known`` count.
    seed : uint64
        For the negatives.
    v : Vectors
    drawn, error, gradient : ndarray
        Scratch: int32 and float32 of shape (NEGATIVES + 1,), float32 of shape (d,).
    """
    if len(recent) == 0 or n_known <= ENOUGH_KNOWN or weight <= 0.0:
        return
    # The negatives, then the item chosen: the order in which rows are updated.
    n = 0
    for index in range(NEGATIVES):
        row = known[draw_below(seed, np.uint64(index), n_known)]
        if row != target:
            drawn[n] = row
            n += 1
    drawn[n] = target
    n += 1

    largest = np.float32(-1e30)
    for j in range(n):
        dot = np.float32(0.0)
        for d in range(DIMENSIONS):
            dot += user[d] * v.outputs[drawn[j], d]
        error[j] = v.biases[drawn[j]] + dot
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
        e = error[j] * weight
        v.output_sums[row] += e * e * norm
        rate = _RATE / np.sqrt(v.output_sums[row] + _EPSILON)
        keep = np.float32(1.0) - _L2 * rate
        step = rate * e
        for d in range(DIMENSIONS):
            gradient[d] += e * v.outputs[row, d]
            v.outputs[row, d] = keep * v.outputs[row, d] - step * user[d]
        v.bias_sums[row] += e * e
        v.biases[row] -= _RATE * e / np.sqrt(v.bias_sums[row] + _EPSILON)

    square = np.float32(0.0)
    for d in range(DIMENSIONS):
        square += gradient[d] * gradient[d]
    square /= np.float32(DIMENSIONS)
    for s in range(_SCALES):
        for k in range(min(_GRADIENT_REACH[s], len(recent))):
            row = recent[k]
            if row < 0:
                continue
            share = WEIGHTS[s, k]
            v.input_sums[row, s] += share * share * square
            rate = _RATE / np.sqrt(v.input_sums[row, s] + _EPSILON)
            keep = np.float32(1.0) - _L2 * rate
            step = rate * share
            for d in range(DIMENSIONS):
                v.inputs[row, s, d] = keep * v.inputs[row, s, d] - step * gradient[d]
