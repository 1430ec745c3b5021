"""Laws of the simulated data sets: the same for the same name, and each of the kind that it says."""

from __future__ import annotations

from collections import defaultdict
from itertools import pairwise

import numpy as np
import pytest

from contracts.events import Click, Item, Rating, encode
from evaluation.datasets import DatasetError, open_dataset
from evaluation.regimes import REGIMES, Simulated, open_simulated
from evaluation.stream import Stream, read_stream

SMALL = {"dense": "users=60&events=4000", "sessions": "users=4000&events=9000", "news": "users=200&events=9000"}
HOUR_MS = 3_600_000


def simulated(regime: str, seed: int = 0) -> Simulated:
    return open_simulated(f"simulated:{regime}?{SMALL[regime]}&seed={seed}")


def stream(regime: str) -> Stream:
    return read_stream([simulated(regime)])


def items(regime: str) -> dict[str, Item]:
    return {str(item.item): item for item in simulated(regime).items()}


def topics(regime: str) -> dict[str, list[str]]:
    """Return the topics of each user's events, in their order."""
    topic, found = items(regime), defaultdict(list)
    for event in stream(regime).events(0, len(stream(regime))):
        found[event.user].append(topic[event.item].categories[0])
    return found


@pytest.mark.parametrize("regime", REGIMES)
def test_the_same_name_gives_the_same_events_and_another_seed_others(regime: str) -> None:
    def told(seed: int) -> list[bytes]:
        return [encode(row) for row in (*simulated(regime, seed).items(), *simulated(regime, seed).events())]

    assert told(1) == told(1)
    assert told(1) != told(2)


@pytest.mark.parametrize("regime", REGIMES)
def test_events_come_in_time_order_and_about_as_many_as_asked_for(regime: str) -> None:
    dataset = simulated(regime)
    times = [event.time for event in dataset.events()]
    assert times == sorted(times, key=lambda time: time or 0)
    assert len(times) == dataset.size
    assert len(times) == pytest.approx(int(SMALL[regime].partition("events=")[2]), rel=0.15)
    assert isinstance(next(dataset.events()), Rating if regime == "dense" else Click)


@pytest.mark.parametrize("regime", REGIMES)
def test_titles_of_one_topic_share_words_and_those_of_two_hardly_any(regime: str) -> None:
    words: dict[str, set[str]] = defaultdict(set)
    for item in items(regime).values():
        assert item.title
        words[item.categories[0]] |= set(item.title.lower().split()[:3])
    (one, other, *_) = words.values()
    assert len(one) <= 30
    assert not one & other


def test_dense_histories_are_long_without_repeats_and_ratings_follow_taste() -> None:
    made = stream("dense")
    assert np.median(np.bincount(made.user)) > 20
    assert len({*zip(made.user.tolist(), made.item.tolist(), strict=True)}) == len(made)
    assert set(np.unique(made.rating)) == {1.0, 2.0, 3.0, 4.0, 5.0}
    first, second = topics("dense"), []
    for mine in first.values():
        favourite = max(set(mine[: len(mine) // 2]), key=mine[: len(mine) // 2].count)
        second.append(mine[len(mine) // 2 :].count(favourite) / len(mine[len(mine) // 2 :]))
    assert np.mean(second) > 3 / 18  # three times what chance would give


def test_sessions_are_short_of_new_people_and_of_one_topic() -> None:
    made = stream("sessions")
    lengths = np.bincount(made.user)
    assert 2 <= np.median(lengths) <= 8
    assert len(made.users) > 0.6 * len(made) / 4
    same = [a == b for mine in topics("sessions").values() for a, b in pairwise(mine)]
    assert np.mean(same) > 0.7
    assert len(items("sessions")) == 30_000


def test_news_is_read_within_hours_of_its_birth_and_never_before() -> None:
    known = items("news")
    ages = [(event.time or 0) - (known[str(event.item)].created or 0) for event in simulated("news").events()]
    assert min(ages) >= 0
    assert np.median(ages) < 6 * HOUR_MS
    assert max(ages) <= 36 * HOUR_MS
    shares = [max(mine.count(topic) for topic in mine) / len(mine) for mine in topics("news").values() if len(mine) > 9]
    assert np.mean(shares) > 0.25  # of 20 topics


@pytest.mark.parametrize(
    ("name", "word"),
    [
        ("simulated:weather", "there are dense, sessions, news"),
        ("simulated:news?people=3", "'people'"),
        ("simulated:news?users=many", "whole numbers"),
        ("simulated:news?users=1", "at least 10"),
    ],
)
def test_mistakes_are_told_with_the_remedy(name: str, word: str) -> None:
    with pytest.raises(DatasetError, match=word):
        open_dataset(name)
