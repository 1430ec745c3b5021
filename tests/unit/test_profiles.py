"""What scoring knows of a user: what is context, what he has judged, and whether he goes on or comes back."""

from __future__ import annotations

import numpy as np
import pytest

from contracts.learning import HISTORY
from models.combine import CONTEXTS, KNOWN_AFTER, LONG_AWAY_S, RETURNS_AFTER_S, context_of
from models.profiles import Profiles, profiles

SCALE = np.array([50.0, 3.0, 50.0])  # ratings around 3 with deviation 1


def one(rows: list[int], values: list[float], length: int, gap: int = 0, scale: np.ndarray = SCALE) -> Profiles:
    """Return the profile of a user of whose places beyond his history anything may stand."""
    of_rows, of_values = np.full((1, HISTORY), 77, np.int32), np.full((1, HISTORY), 5.0, np.float16)
    of_rows[0, : len(rows)], of_values[0, : len(values)] = rows, values
    return profiles(of_rows, np.array([length], np.uint8), of_values, np.array([gap], np.int64), scale)


def test_disliked_items_are_judged_and_no_context_and_used_ones_context_and_not_judged() -> None:
    profile = one([4, 9, 2, 6, -1], [np.nan, -np.inf, 5.0, 3.0, 4.0], 5)
    assert profile.recent[0, :5].tolist() == [4, -1, 2, 6, -1]
    assert profile.judged[0, :5].tolist() == [-1, 9, 2, -1, -1]  # to rate at the mean is no opinion
    assert profile.opinion[0, :5].tolist() == [0.0, -1.5, 2.0, 0.0, 1.0]
    assert len(profile) == 1


def test_what_lies_beyond_the_history_counts_for_nothing() -> None:
    profile = one([4, 9], [4.0, 4.0], 1)
    assert profile.recent[0].tolist() == [4] + [-1] * (HISTORY - 1)
    assert profile.judged[0].tolist() == [4] + [-1] * (HISTORY - 1)
    assert not profile.opinion[0, 1:].any()
    assert (one([4], [4.0], 0).recent == -1).all()


def test_before_ratings_have_a_scale_only_dislikes_are_judged() -> None:
    profile = one([4, 9], [5.0, -np.inf], 2, scale=np.zeros(3))
    assert profile.judged[0, :2].tolist() == [-1, 9]
    assert profile.recent[0, :2].tolist() == [4, -1]


@pytest.mark.parametrize(
    ("gap", "length", "context"),
    [
        (0, 0, "in session"),
        (0, 1, "newcomer"),
        (LONG_AWAY_S + 1, KNOWN_AFTER, "newcomer"),
        (0, KNOWN_AFTER + 1, "in session"),
        (RETURNS_AFTER_S, HISTORY, "in session"),
        (RETURNS_AFTER_S + 1, HISTORY, "returning"),
        (LONG_AWAY_S, HISTORY, "returning"),
        (LONG_AWAY_S + 1, HISTORY, "long away"),
        (2**31 - 1, HISTORY, "long away"),
    ],
)
def test_gap_and_history_say_whether_he_goes_on_comes_back_or_is_new(gap: int, length: int, context: str) -> None:
    assert CONTEXTS[one([1] * length, [np.nan] * length, length, gap).context[0]] == context
    assert CONTEXTS[context_of(np.int32(gap), length)] == context
