"""A partition number is worked on from when all its topics are assigned until one is revoked; each time anew."""

from __future__ import annotations

import pytest

from streams.consuming.tenure import Tenures

TOPICS = ("clicks", "ratings")


@pytest.fixture
def tenures() -> Tenures:
    return Tenures(TOPICS)


def begin(tenures: Tenures, *numbers: int) -> None:
    tenures.start(tenures.assign((topic, number) for topic in TOPICS for number in numbers))


def test_a_number_starts_when_all_topics_are_assigned(tenures: Tenures) -> None:
    assert tenures.assign([("clicks", 1), ("clicks", 2), ("ratings", 2)]) == {2}
    tenures.start({2})
    assert tenures.assign([("ratings", 1)]) == {1}
    assert tenures.places() == {("clicks", 2), ("ratings", 2)}


def test_a_number_ends_when_one_topic_is_revoked_and_the_others_go_on(tenures: Tenures) -> None:
    begin(tenures, 1, 2)
    one, two = tenures.since([1]), tenures.since([2])
    assert tenures.revoke([("ratings", 1)]) == {1}
    tenures.end({1})
    assert (tenures.still(one), tenures.still(two)) == (frozenset(), {2})
    assert tenures.assigned == {("clicks", 1), ("clicks", 2), ("ratings", 2)}
    assert tenures.assign([("ratings", 1)]) == {1}


def test_what_was_fetched_in_an_earlier_tenure_is_not_of_the_present_one(tenures: Tenures) -> None:
    begin(tenures, 1, 2)
    fetched = tenures.since([1, 2, 3])
    assert fetched.keys() == {1, 2}
    tenures.end({1})
    tenures.start({1})
    assert tenures.still(fetched) == {2}


def test_a_number_that_was_dropped_is_not_revoked_a_second_time(tenures: Tenures) -> None:
    begin(tenures, 1)
    tenures.end({1})
    assert tenures.revoke((topic, 1) for topic in TOPICS) == frozenset()
    assert tenures.assigned == frozenset()
