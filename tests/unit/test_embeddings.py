"""Learning and user vectors against the recipe in float64, which draws the same negatives."""

from __future__ import annotations

import numpy as np
import pytest
import reference

from contracts.learning import HISTORY
from models.kernel import draw_below
from models.scorers.embeddings import DECAYS, DIMENSIONS, ENOUGH_KNOWN, NEGATIVES, Embeddings, learn, represent

ROWS = 48
SEED = 2**63 + 12_345


class Reference:
    """Online sampled softmax over a decayed user state, with row-wise Adagrad: the recipe line by line."""

    def __init__(self, embeddings: Embeddings) -> None:
        self.inputs = embeddings.inputs.astype(np.float64)
        self.outputs = embeddings.outputs.astype(np.float64)
        self.biases = embeddings.biases.astype(np.float64)
        self.input_sums = np.full(self.inputs.shape[:2], 0.1)
        self.output_sums, self.bias_sums = np.full(len(self.biases), 0.1), np.full(len(self.biases), 0.1)

    def learn(self, row: int, weight: float, recent: list[int], known: np.ndarray, n_known: int, seed: int) -> None:
        if not recent or n_known <= ENOUGH_KNOWN or weight <= 0.0:
            return
        drawn = [int(known[draw_below(np.uint64(seed), np.uint64(index), n_known)]) for index in range(NEGATIVES)]
        rows = [negative for negative in drawn if negative != row] + [row]
        user = reference.user_vector(recent, self.inputs)
        logits = self.outputs[rows] @ user + self.biases[rows]
        errors = np.exp(logits - logits.max())
        errors /= errors.sum()
        errors[-1] -= 1.0
        errors *= weight
        gradient = np.zeros(DIMENSIONS)
        for x, e in zip(rows, errors, strict=True):
            gradient += e * self.outputs[x]
            self.output_sums[x] += e**2 * (user @ user) / DIMENSIONS
            rate = 0.05 / np.sqrt(self.output_sums[x] + 1e-6)
            self.outputs[x] = (1 - 1e-3 * rate) * self.outputs[x] - rate * e * user
            self.bias_sums[x] += e**2
            self.biases[x] -= 0.05 * e / np.sqrt(self.bias_sums[x] + 1e-6)
        for s, decay in enumerate(DECAYS):
            for k, earlier in enumerate(recent):
                if earlier < 0 or decay**k < reference.GRADIENT:
                    continue
                self.input_sums[earlier, s] += decay ** (2 * k) * (gradient @ gradient) / DIMENSIONS
                rate = 0.05 / np.sqrt(self.input_sums[earlier, s] + 1e-6)
                old = self.inputs[earlier, s]
                self.inputs[earlier, s] = (1 - 1e-3 * rate) * old - rate * decay**k * gradient


def started(rows: int = ROWS, capacity: int = 64, scale: float = 1.0) -> Embeddings:
    """Return embeddings of rows whose keys are their numbers."""
    embeddings = Embeddings(capacity)
    embeddings.start(0, np.arange(rows, dtype=np.uint64), seed=1)
    embeddings.inputs *= np.float32(scale)
    embeddings.outputs *= np.float32(scale)
    return embeddings


def learn_one(
    embeddings: Embeddings, row: int, weight: float, recent: list[int], known: np.ndarray, n_known: int, seed: int
) -> None:
    """Let the kernel learn one event."""
    v, rows = embeddings.arrays(len(embeddings.biases)), np.array(recent, np.int32)
    drawn, error = np.empty(NEGATIVES + 1, np.int32), np.empty(NEGATIVES + 1, np.float32)
    user, gradient = np.empty(DIMENSIONS, np.float32), np.empty(DIMENSIONS, np.float32)
    represent(rows, v.inputs, user)
    own = np.uint64(seed)
    learn(np.int32(row), np.float32(weight), user, rows, known, np.int64(n_known), own, v, drawn, error, gradient)


@pytest.mark.parametrize(
    ("scale", "weights"),
    [(1.0, [1.0]), (4.0, [1.0]), (1.0, [0.0, 0.5, 1.0, 3.0])],
    ids=["as started", "far from the start", "weighted"],
)
def test_learning_follows_the_recipe(scale: float, weights: list[float]) -> None:
    draw = np.random.default_rng(3)
    embeddings = started(scale=scale)
    plain = Reference(embeddings)
    n = 40
    rows = draw.integers(0, ROWS, n).astype(np.int32)
    weight = draw.choice(weights, n).astype(np.float32)
    # Short and long histories, none at all, repeated items, items without a row.
    histories = [draw.integers(-1, ROWS, draw.choice([0, 1, 3, 12, HISTORY])).tolist() for _ in range(n)]
    known = draw.permutation(ROWS).astype(np.int32)
    known_at = np.linspace(ENOUGH_KNOWN - 5, ROWS, n).astype(np.int64)
    for event in range(n):
        seen = int(rows[event]), float(weight[event]), histories[event], known, int(known_at[event]), SEED + event
        learn_one(embeddings, *seen)
        plain.learn(*seen)
    state = embeddings.state(ROWS)
    for name in ("inputs", "outputs", "biases"):
        expected = getattr(plain, name)[:ROWS]
        np.testing.assert_allclose(state[name], expected, rtol=1e-4, atol=1e-5, err_msg=name)
    for name in ("input_sums", "output_sums", "bias_sums"):
        np.testing.assert_allclose(state[name], getattr(plain, name)[:ROWS], rtol=1e-4, err_msg=name)


@pytest.mark.parametrize(
    ("history", "n_known", "weight"),
    [([], ROWS, 1.0), ([1, 2], ENOUGH_KNOWN, 1.0), ([1, 2], ROWS, 0.0)],
    ids=["no history", "too few known items", "no wish"],
)
def test_nothing_is_learned_from(history: list[int], n_known: int, weight: float) -> None:
    embeddings, before = started(), started().state(ROWS)
    learn_one(embeddings, 3, weight, history, np.arange(ROWS, dtype=np.int32), n_known, 1)
    for name, array in embeddings.state(ROWS).items():
        assert np.array_equal(array, before[name])


def test_user_vectors_are_the_decayed_sums() -> None:
    draw = np.random.default_rng(0)
    embeddings = started()
    recent = draw.integers(-1, ROWS, (9, HISTORY)).astype(np.int32)
    recent[0] = -1
    recent[1, 1:] = -1
    expected = [reference.user_vector(row.tolist(), embeddings.inputs.astype(np.float64)) for row in recent]
    np.testing.assert_allclose(embeddings.users(recent), expected, atol=1e-5)
    assert not embeddings.users(recent)[0].any()


def test_the_start_of_a_row_depends_on_its_key_and_the_seed_alone() -> None:
    whole, parts, other = started(), Embeddings(ROWS), Embeddings(64)
    parts.start(0, np.arange(7, dtype=np.uint64), seed=1)
    parts.start(7, np.arange(7, ROWS, dtype=np.uint64), seed=1)
    other.start(0, np.arange(ROWS, dtype=np.uint64), seed=2)
    for name, array in whole.state(ROWS).items():
        assert np.array_equal(array, parts.state(ROWS)[name])
    assert not np.isclose(other.outputs[:ROWS], whole.outputs[:ROWS], atol=1e-4).all(axis=1).any()


def test_rows_start_normal_and_unrelated() -> None:
    embeddings = started(rows=2000, capacity=2000)
    values = np.concatenate([embeddings.inputs.ravel(), embeddings.outputs.ravel()])
    assert values.mean() == pytest.approx(0.0, abs=5e-4)
    assert values.std() == pytest.approx(0.05, rel=0.01)
    assert abs(np.corrcoef(embeddings.outputs.ravel(), embeddings.inputs[:, 0].ravel())[0, 1]) < 0.01
    assert abs(np.corrcoef(embeddings.outputs[:1000].ravel(), embeddings.outputs[1000:].ravel())[0, 1]) < 0.015
    assert not embeddings.biases.any()


def test_what_follows_an_item_comes_to_be_expected_after_it() -> None:
    embeddings, known = started(), np.arange(ROWS, dtype=np.int32)
    for event, earlier in enumerate(np.random.default_rng(0).integers(0, ROWS, 3000).tolist()):
        learn_one(embeddings, (earlier + 1) % ROWS, 1.0, [earlier], known, ROWS, event)
    recent = np.full((ROWS, HISTORY), -1, np.int32)
    recent[:, 0] = np.arange(ROWS)
    scores = embeddings.users(recent) @ embeddings.outputs[:ROWS].T + embeddings.biases[:ROWS]
    assert (scores.argmax(axis=1) == (np.arange(ROWS) + 1) % ROWS).mean() > 0.95


def test_a_step_takes_the_chosen_item_closer_and_its_rivals_further_away() -> None:
    embeddings, known = started(scale=4.0), np.arange(ROWS, dtype=np.int32)
    recent = np.full((1, HISTORY), -1, np.int32)
    recent[0, :2] = 7, 11
    before = embeddings.users(recent)[0] @ embeddings.outputs[:ROWS].T + embeddings.biases[:ROWS]
    learn_one(embeddings, 3, 1.0, [7, 11], known, ROWS, 1)
    after = embeddings.users(recent)[0] @ embeddings.outputs[:ROWS].T + embeddings.biases[:ROWS]
    assert after[3] > before[3]
    others = np.arange(ROWS) != 3
    assert (after - before)[others].mean() < 0.0


def test_growth_and_restoring_keep_every_row() -> None:
    one, other = started(), Embeddings(256)
    other.restore(one.state(ROWS))
    one.grow(256)
    for name, array in one.state(256).items():
        assert np.array_equal(array, other.state(256)[name])
