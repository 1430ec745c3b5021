"""Predicted ratings are River's own, for a bounded number of users, on any scale that events may carry."""

from __future__ import annotations

import numpy as np
import pytest
from river import optim, reco

from models.ratings import _L2, _RATE, _REACH, _SETTLED, FACTORS, RatingModel

Rating = tuple[int, int, float]


def ratings(n: int, users: int = 20, items: int = 30, scale: float = 5.0, seed: int = 0) -> list[Rating]:
    """Return ratings that depend on user and item, from 0 to ``scale``."""
    draw = np.random.default_rng(seed)
    taste = draw.random((users, items))
    pairs = zip(draw.integers(users, size=n).tolist(), draw.integers(items, size=n).tolist(), strict=True)
    return [(1000 + user, item, float(scale * (0.7 * taste[user, item] + 0.3 * draw.random()))) for user, item in pairs]


def learned(stream: list[Rating], max_users: int = 100) -> RatingModel:
    model = RatingModel(max_users, seed=3)
    for rater, row, rating in stream:
        model.learn(rater, row, rating)
    return model


class River:
    """River's model of the same stream, in units of the ratings' running deviation around their running mean."""

    def __init__(self, stream: list[Rating]) -> None:
        self.model = reco.BiasedMF(
            n_factors=FACTORS,
            bias_optimizer=optim.SGD(_RATE),
            latent_optimizer=optim.SGD(_RATE),
            l2_bias=_L2,
            l2_latent=_L2,
            latent_initializer=optim.initializers.Normal(mu=0.0, sigma=0.1, seed=3),
            clip_gradient=2 * _REACH,
            seed=3,
        )
        self.past: list[float] = []
        for user, item, rating in stream:
            mean, deviation = self.scale()
            far = _REACH * deviation if len(self.past) >= _SETTLED else np.inf
            self.past.append(min(max(rating, mean - far), mean + far))
            mean, deviation = self.scale()
            standard = (self.past[-1] - mean) / deviation
            self.model.learn_one(user=user, item=item, y=min(max(standard, -_REACH), _REACH))

    def scale(self) -> tuple[float, float]:
        """Return mean and deviation of the ratings so far."""
        if len(self.past) < 2:
            return sum(self.past), 1.0
        return float(np.mean(self.past)), float(np.std(self.past, ddof=1)) or 1.0

    def predict(self, rater: int, row: int) -> float:
        mean, deviation = self.scale()
        return mean + deviation * float(self.model.predict_one(user=rater, item=row))


@pytest.mark.parametrize("scale", [1.0, 5.0, 100.0])
def test_predictions_are_rivers(scale: float) -> None:
    # Rows beyond the first capacity, and some ratings far off the scale.
    stream = [(rater, 100 * row, rating) for rater, row, rating in ratings(600, scale=scale)]
    stream[90], stream[300] = (1, 0, 1e6), (2, 100, -1e5)
    model, plain = learned(stream), River(stream)
    rows = np.array(sorted({row for _, row, _ in stream}), np.int32)
    for rater in {rater for rater, _, _ in stream}:
        expected = [plain.predict(rater, int(row)) for row in rows]
        np.testing.assert_allclose(model.predict(rater, rows), expected, rtol=0, atol=1e-9 * scale)


def test_an_item_that_nobody_rated_gets_the_mean_and_the_users_bias() -> None:
    stream = ratings(300)
    plain, predicted = River(stream), learned(stream).predict(1003, np.array([500, 5000], np.int32))
    mean, deviation = plain.scale()
    expected = mean + deviation * (plain.model.global_mean.get() + plain.model.u_biases[1003])
    assert predicted == pytest.approx(expected, abs=1e-9)


def test_equal_ratings_are_predicted_as_they_are() -> None:
    predicted = learned([(rater, row, 4.0) for rater in range(5) for row in range(5)]).predict(
        3, np.arange(9, dtype=np.int32)
    )
    assert predicted == pytest.approx(4.0, abs=0.2)


def test_learning_predicts_better_than_the_mean() -> None:
    stream, model, errors = ratings(6000), RatingModel(100, seed=3), []
    for rater, row, rating in stream:
        predicted = model.predict(rater, np.array([row], np.int32))
        if predicted is not None:
            errors.append(float(predicted[0]) - rating)
        model.learn(rater, row, rating)
    deviation = np.std([rating for _, _, rating in stream])
    assert np.sqrt(np.mean(np.square(errors[3000:]))) < 0.8 * deviation


def test_who_never_rated_has_no_prediction() -> None:
    assert learned(ratings(50)).predict(7, np.array([1], np.int32)) is None
    assert RatingModel(10, seed=0).predict(7, np.array([1], np.int32)) is None


def test_asking_creates_nothing() -> None:
    model = learned(ratings(50))
    before = model.state()
    model.predict(7, np.arange(40, dtype=np.int32))
    model.predict(1001, np.array([12, 999, 100_000], np.int32))
    assert model.state() == before


def test_the_least_recently_rating_user_loses_his_row() -> None:
    stream = [(rater, 1, 3.0) for rater in (1, 2, 3, 1, 4, 5)]
    model = learned(stream, max_users=3)
    assert len(model) == 3
    assert set(model.rows()["users"]) == {1, 4, 5}
    assert model.predict(2, np.array([1], np.int32)) is None


def test_rows_are_bounded_by_users_and_items() -> None:
    model = learned(ratings(3000, users=500, items=10), max_users=50)
    rows = model.rows()
    assert len(rows["users"]) == len(model) == 50
    assert len(rows["items"]) == 10
    assert len(model._model.u_biases) == len(model._model.u_latents) == 50


def test_a_restored_model_goes_on_alike() -> None:
    stream = ratings(900, users=200)
    model, restored = learned(stream[:500], max_users=30), RatingModel(30, seed=99)
    restored.restore(model.state())
    for rater, row, rating in stream[500:]:
        model.learn(rater, row, rating)
        restored.learn(rater, row, rating)
    one, other = model.rows(), restored.rows()
    for kind in ("users", "items"):
        assert one[kind].keys() == other[kind].keys()
        for key, (bias, latent) in one[kind].items():
            assert bias == other[kind][key][0]
            assert np.array_equal(latent, other[kind][key][1])
    everything = np.arange(40, dtype=np.int32)
    for rater in one["users"]:
        assert np.array_equal(model.predict(rater, everything), restored.predict(rater, everything))


@pytest.mark.parametrize("scale", [1.0, 5.0, 10.0, 20.0, 100.0, 1e6])
def test_predictions_stay_within_reach_of_the_scale(scale: float) -> None:
    with np.errstate(all="ignore"):
        model = learned(ratings(4000, scale=scale))
        predicted = np.array([model.predict(1000 + user, np.arange(30, dtype=np.int32)) for user in range(20)])
    assert np.isfinite(predicted).all()
    assert abs(predicted).max() < 3 * scale


def test_one_rating_far_off_the_scale_does_not_spoil_the_others() -> None:
    stream = ratings(2000)
    with np.errstate(all="ignore"):
        model = learned([*stream[:1000], (1, 0, 1e6), (1, 0, -1e6), *stream[1000:]])
        predicted = model.predict(1005, np.arange(1, 30, dtype=np.int32))
    assert predicted is not None
    assert np.isfinite(predicted).all()
