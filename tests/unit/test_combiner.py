"""The weights follow the recipe step by step, learn who is right, and can neither vanish nor leave the finite."""

from __future__ import annotations

import numpy as np
import pytest
from workload import events, learned

from models import combiner
from models.combine import CONTEXTS, HEARD, NEWCOMER, OWN, SCORERS, STANDING, Tables
from models.combiner import COMPETE, HIT_DEPTH, PRESET, WATCHED, WINDOWS, Combiner, is_due, learn, teaches
from models.engine import Engine

TOTAL = np.abs(PRESET).sum()


class Reference:
    """A softmax over the best and the chosen one, the gradient by Adagrad, the pull, the norm: in float64."""

    def __init__(self) -> None:
        self.base, self.base_sums = PRESET.copy(), np.full(len(SCORERS), 0.01)
        self.start = Combiner().shifts
        self.shifts, self.shift_sums = self.start.copy(), np.full((len(CONTEXTS), len(SCORERS)), 0.01)
        self.sharpness, self.sharpness_sum = 1.0, 0.01

    def learn(self, target: int, context: int, scores: np.ndarray, candidate: np.ndarray) -> None:
        z = scores.astype(np.float64)
        for f in range(len(OWN)):
            deviation = z[f][candidate].std()
            z[f] = (z[f] - z[f][candidate].mean()) / deviation if deviation > 1e-6 else 0.0
        heard = HEARD[context]
        weights = heard * (self.base + self.shifts[context])
        blend = weights @ z
        others = [int(x) for x in np.argsort(-blend, kind="stable") if candidate[x] and x != target]
        if (blend[others] > blend[target]).sum() >= 200:
            return
        z = z[:, [*others[:COMPETE], target]]
        shares = np.exp(self.sharpness * weights @ z)
        shares /= shares.sum()
        shares[-1] -= 1.0
        gradient = z @ shares
        along = self.sharpness * gradient @ weights
        if context != NEWCOMER:  # he says nothing of others
            g = heard * (self.sharpness * gradient + 1e-3 * (self.base - PRESET))
            self.base_sums += g**2
            self.base -= 0.03 * g / np.sqrt(self.base_sums)
        g = heard * (self.sharpness * gradient + 1e-3 * (self.shifts[context] - self.start[context]))
        self.shift_sums[context] += g**2
        self.shifts[context] -= 0.03 * g / np.sqrt(self.shift_sums[context])
        self.sharpness_sum += along**2
        self.sharpness = max(0.2, self.sharpness * np.exp(-0.03 * along / np.sqrt(self.sharpness_sum)))
        self.base *= TOTAL / np.abs(self.base).sum()


@pytest.fixture(scope="module", params=[False, True], ids=["no repeats", "repeats"])
def t(request: pytest.FixtureRequest) -> Tables:
    """Tables of any model: of them the combiner asks only whether repeats are recommended."""
    return learned(events(20), engine=Engine(resident_users=100, allow_repeats=request.param)).items.tables()


class Choice:
    """What all scorers say of some items; those of a user's own are not standardised yet."""

    def __init__(self, draw: np.random.Generator, n: int) -> None:
        self.scores = draw.normal(0.0, 1.0, (len(SCORERS), n)).astype(np.float32)
        self.scores[: len(OWN)] = 3.0 * self.scores[: len(OWN)] + 1.0
        self.candidate, self.target = draw.random(n) < 0.9, int(draw.integers(n))
        self.candidate[self.target] = True

    def best(self, f: int) -> int:
        """Return the candidate that one scorer puts first."""
        return int(np.argmax(np.where(self.candidate, self.scores[f], -np.inf)))


def teach(combined: Combiner, choice: Choice, context: int, t: Tables) -> None:
    """Let the kernel learn one choice."""
    n = len(choice.candidate)
    own, stand = choice.scores[: len(OWN)].copy(), choice.scores[len(OWN) :].copy()
    z, rows = np.empty((COMPETE + 1, len(SCORERS))), np.empty(COMPETE + 1, np.int32)
    scores, best = np.empty(n, np.float32), np.empty(COMPETE + 1, np.float32)
    target, candidate = np.int32(choice.target), choice.candidate.copy()
    learn(target, np.int8(context), own, stand, candidate, t, scores, z, rows, best, combined.arrays())


def speaking(choice: Choice, t: Tables) -> np.ndarray:
    """Return the scores with those of who may not speak silent."""
    scores = choice.scores.copy()
    if not t.allow_repeats:
        scores[OWN.index("again")] = 0.0
    return scores


@pytest.mark.parametrize("n", [2, 40, 150, 900])
def test_learning_follows_the_recipe(t: Tables, n: int) -> None:
    draw, combined, plain = np.random.default_rng(n), Combiner(), Reference()
    for _ in range(60):
        choice, context = Choice(draw, n), int(draw.integers(len(CONTEXTS)))
        teach(combined, choice, context, t)
        plain.learn(choice.target, context, speaking(choice, t), choice.candidate)
    for name in ("base", "shifts", "base_sums", "shift_sums"):
        np.testing.assert_allclose(getattr(combined, name), getattr(plain, name), rtol=1e-4, atol=1e-6, err_msg=name)
    assert combined.sharpness == pytest.approx([plain.sharpness, plain.sharpness_sum], rel=1e-4)
    assert combined.ranked[0] == combined.taught.sum() == 60


def test_an_item_far_down_the_list_teaches_nothing_and_is_counted(t: Tables) -> None:
    choice, combined = Choice(np.random.default_rng(0), 500), Combiner()
    choice.candidate[:] = True
    blend = PRESET @ np.vstack([(each - each.mean()) / each.std() for each in choice.scores])
    order = np.argsort(-blend)
    for place, moved in ((combiner._GATE + 5, False), (combiner._GATE - 5, True)):
        choice.target = int(order[place])
        teach(combined, choice, 0, t)
        assert np.array_equal(combined.base, PRESET) != moved
    assert combined.taught.tolist() == [2, 0, 0, 0]
    assert combined.ranked[0] == 2


@pytest.mark.parametrize("right", ["together", "opinion", "popular", "recent"])
def test_the_weight_of_who_is_right_grows(t: Tables, right: str) -> None:
    draw, combined, f = np.random.default_rng(0), Combiner(), SCORERS.index(right)
    for _ in range(400):
        choice = Choice(draw, 60)
        choice.target = choice.best(f)
        teach(combined, choice, 0, t)
    weights = combined.weights[0]
    assert weights[f] > 3 * abs(np.delete(weights, f)).max()
    assert combined.sharpness[0] > 1.0


def test_who_is_wrong_gets_a_negative_weight(t: Tables) -> None:
    draw, combined = np.random.default_rng(0), Combiner()
    for _ in range(400):
        choice = Choice(draw, 60)
        choice.target = int(np.argmin(np.where(choice.candidate, choice.scores[-1], np.inf)))
        teach(combined, choice, 0, t)
    assert combined.weights[0, -1] < -0.3


def test_contexts_learn_what_differs_between_them_and_share_what_does_not(t: Tables) -> None:
    draw, combined = np.random.default_rng(0), Combiner()
    for _ in range(400):
        for context, f in ((0, 0), (2, SCORERS.index("daily"))):
            choice = Choice(draw, 60)
            choice.target = choice.best(f)
            teach(combined, choice, context, t)
    going_on, returning, away, new = combined.weights
    assert away[SCORERS.index("daily")] > going_on[SCORERS.index("daily")] + 0.2
    assert going_on[0] > away[0] + 0.2
    for weights, context in ((returning, 1), (new, 3)):  # nobody came back, nobody was new
        assert np.array_equal(combined.shifts[context], Combiner().shifts[context])
        np.testing.assert_allclose(weights, HEARD[context] * (combined.base + combined.shifts[context]), rtol=1e-6)


def hostile(draw: np.random.Generator, n: int) -> Choice:
    """Return a choice as no sane stream has it: constant scorers, huge and tiny scores, hardly a candidate."""
    choice = Choice(draw, n)
    for f in range(len(SCORERS)):
        kind = draw.integers(5)
        if kind == 0:
            choice.scores[f] = draw.choice([0.0, 1.0, -7.5])
        elif kind == 1:
            choice.scores[f] *= np.float32(10.0 ** draw.integers(-6, 7))
        elif kind == 2:
            choice.scores[f] = np.where(np.arange(n) == draw.integers(n), 1000.0, 0.0)
    choice.candidate = draw.random(n) < draw.choice([0.02, 0.5, 1.0])
    choice.candidate[choice.target] = True
    return choice


@pytest.mark.parametrize("seed", range(4))
def test_weights_stay_finite_not_all_zero_and_of_the_same_total(t: Tables, seed: int) -> None:
    draw, combined = np.random.default_rng(seed), Combiner()
    for _ in range(1500):
        teach(combined, hostile(draw, int(draw.choice([1, 3, 50, 400]))), int(draw.integers(len(CONTEXTS))), t)
        assert np.abs(combined.base).sum() == pytest.approx(TOTAL)
    for name, array in combined.state(0).items():
        assert np.isfinite(array).all(), name
    assert np.isfinite(combined.weights).all()
    assert combined.weights.any(axis=1).all()
    assert combined.sharpness[0] >= 0.2


def test_choices_that_say_nothing_pull_the_weights_back_to_their_start(t: Tables) -> None:
    draw, combined = np.random.default_rng(0), Combiner()
    for _ in range(300):
        choice = Choice(draw, 60)
        choice.target = choice.best(SCORERS.index("weekly"))
        teach(combined, choice, 1, t)
    combined.base_sums[:] = combined.shift_sums[:] = 0.01  # as at the start, so that it does not take for ever
    away = [np.abs(combined.base - PRESET).sum()]
    silent = Choice(draw, 60)
    silent.scores[:] = 0.0
    for _ in range(3):
        for _ in range(2000):
            teach(combined, silent, 1, t)
        away.append(np.abs(combined.base - PRESET).sum())
    assert away == sorted(away, reverse=True)
    assert away[-1] < 0.9 * away[0]
    assert np.abs(combined.shifts[1] - Combiner().shifts[1]).sum() < 1.0


def test_hits_count_who_had_the_choice_among_the_ten_best(t: Tables) -> None:
    draw, combined = np.random.default_rng(0), Combiner()
    hits = np.zeros(len(SCORERS))
    for _ in range(50):
        choice = Choice(draw, 40)
        teach(combined, choice, 0, t)
        for f, each in enumerate(choice.scores):
            hits[f] += (each[choice.candidate] > each[choice.target]).sum() < HIT_DEPTH
    assert combined.hits.sum(axis=0)[:-1].tolist() == hits.tolist()


def test_hit_rates_are_taken_once_when_they_are_complete(t: Tables) -> None:
    draw, combined = np.random.default_rng(0), Combiner()
    for ranked in range(1, 4 * WATCHED):
        teach(combined, Choice(draw, 40), 0, t)
        left = combined.hits.sum(axis=0)
        if ranked == WATCHED + 5:
            (rates,) = combined.watched()
            assert (rates * WATCHED + combined.hits.sum(axis=0)).tolist() == pytest.approx(left.tolist())
            assert combined.ranked[0] == 5
            assert len(combined.watched()) == 0
    assert len(combined.watched()) == 2
    assert combined.ranked[0] == WATCHED - 1
    assert (combined.hits[1:] == 0.0).all()


def test_more_rankings_than_are_watched_do_no_harm(t: Tables) -> None:
    draw, combined = np.random.default_rng(0), Combiner()
    for _ in range(WATCHED * (WINDOWS + 2)):
        teach(combined, Choice(draw, 5), 0, t)
    assert len(combined.watched()) == WINDOWS
    assert (combined.hits == 0.0).all()


def test_every_eighth_event_teaches_of_who_goes_on_and_every_second_of_who_comes_back_or_is_new() -> None:
    offsets = np.arange(16)
    for context, every in enumerate((8, 2, 2, 2)):
        taught = teaches(offsets, np.full(16, context, np.int8))
        assert np.flatnonzero(taught).tolist() == list(range(0, 16, every))


@pytest.mark.parametrize(("items", "every"), [(100, 1), (4000, 1), (8000, 16), (100_000, 200)])
def test_the_larger_the_catalogue_the_fewer_events_teach(items: int, every: int) -> None:
    combined = Combiner()
    for event in range(4000):
        if is_due(np.int8(1), np.int64(event), np.int64(items), np.uint64(0), combined.arrays()):
            combined.taught[1] += 1
    assert combined.taught[1] == pytest.approx(4000 / every, rel=0.05, abs=1.0)


def test_half_as_many_events_teach_once_a_context_has_settled() -> None:
    combined, draw = Combiner(), np.random.default_rng(0)
    combined.taught[2] = combiner._SETTLED
    drawn = draw.integers(0, 1 << 63, 2000).astype(np.uint64)
    for context, share in ((0, 1.0), (2, 0.5)):
        due = [is_due(np.int8(context), np.int64(10**6), np.int64(100), each, combined.arrays()) for each in drawn]
        assert np.mean(due) == pytest.approx(share, abs=0.05)


def test_a_restored_combiner_goes_on_alike(t: Tables) -> None:
    draw, one, other = np.random.default_rng(0), Combiner(), Combiner()
    for _ in range(30):
        teach(one, Choice(draw, 60), 0, t)
    state = one.state(0)
    other.restore(state)
    choice = Choice(draw, 60)
    for each in (one, other):
        teach(each, choice, 2, t)
    for name, array in one.state(0).items():
        assert np.array_equal(array, other.state(0)[name])
    assert not np.array_equal(state["shifts"], one.shifts)
    assert one.weights.shape == (len(CONTEXTS), len(OWN) + len(STANDING))
