"""What a visitor thought of an item: ratings in deviations around their mean, dislikes fixed, the rest nothing."""

from __future__ import annotations

import numpy as np
import pytest

from models.opinions import DISLIKED, RATED, opinion_of, opinions, rated, split

SCALE = np.array([50.0, 3.0, 50.0 * 4.0])  # fifty ratings, mean 3, deviation 2


def scale_of(ratings: list[float]) -> np.ndarray:
    """Return the running scale after these ratings."""
    scale = np.zeros(3)
    for rating in ratings:
        rated(np.float32(rating), scale)
    return scale


def test_values_are_split_into_judgements_and_finite_numbers() -> None:
    values = np.array([[4.5, np.nan, -np.inf], [0.0, -2.0, np.nan]], np.float16)
    judgements, numbers = split(values)
    assert judgements.tolist() == [[RATED, 0, DISLIKED], [RATED, RATED, 0]]
    assert numbers.tolist() == [[4.5, 0.0, 0.0], [0.0, -2.0, 0.0]]
    assert (judgements.dtype, numbers.dtype) == (np.int8, np.float32)


@pytest.mark.parametrize(
    ("judgement", "value", "opinion"),
    [
        (RATED, 3.0, 0.0),
        (RATED, 4.0, 0.5),
        (RATED, 1.0, -1.0),
        (RATED, 90.0, 2.0),
        (RATED, -90.0, -2.0),
        (DISLIKED, 0.0, -1.5),
        (0, 0.0, 0.0),
        (0, 5.0, 0.0),
    ],
)
def test_opinions_are_deviations_within_two(judgement: int, value: float, opinion: float) -> None:
    assert opinion_of(np.int8(judgement), np.float32(value), SCALE) == pytest.approx(opinion)
    got = opinions(np.full((2, 3), judgement, np.int8), np.full((2, 3), value, np.float32), SCALE)
    np.testing.assert_allclose(got, np.full((2, 3), opinion, np.float32))


@pytest.mark.parametrize(
    "ratings",
    [[], [5.0] * 9, [1.0, 5.0] * 4, [4.0] * 1000],
    ids=["none", "few", "few mixed", "all alike"],
)
def test_ratings_say_nothing_before_their_deviation_is_known(ratings: list[float]) -> None:
    scale = scale_of(ratings)
    assert opinion_of(np.int8(RATED), np.float32(5.0), scale) == 0.0
    assert opinion_of(np.int8(DISLIKED), np.float32(0.0), scale) == -1.5


def test_the_scale_is_mean_and_deviation_of_the_ratings() -> None:
    ratings = np.random.default_rng(0).integers(1, 6, 1000).astype(np.float64)
    scale = scale_of(ratings.tolist())
    assert scale == pytest.approx([1000, ratings.mean(), 1000 * ratings.var()])


def test_one_rating_far_off_changes_the_opinions_of_others_little() -> None:
    usual = [1.0, 2.0, 3.0, 4.0, 5.0] * 40
    before, after = scale_of(usual), scale_of([*usual, 1e6])
    for value in (1.0, 3.0, 5.0):
        one, other = (opinion_of(np.int8(RATED), np.float32(value), scale) for scale in (before, after))
        assert one == pytest.approx(other, abs=0.1)
