"""A token names the last record of each partition, and nothing else is taken for one."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.tokens import MAX_LENGTH, InvalidToken, Place, decode_token, encode_token

topics = st.sampled_from(["clicks", "ratings", "users", "items"])
places = st.builds(Place, topics, st.integers(0, 10_000), st.integers(0, 2**62))


@given(st.lists(places, min_size=1, max_size=50))
def test_a_token_names_the_last_record_of_each_partition(given: list[Place]) -> None:
    token = encode_token(given)
    assert token is not None
    assert re.fullmatch(r"[A-Za-z0-9_-]+", token)
    last = {(place.topic, place.partition): place.offset for place in sorted(given)}
    assert {(topic, partition): offset for topic, partition, offset in decode_token(token)} == last


def test_what_no_list_waits_for_has_no_token() -> None:
    assert encode_token([]) is None
    assert encode_token([Place("impressions", 0, 5)]) is None


def test_events_of_a_hundred_partitions_fit_a_token() -> None:
    token = encode_token(Place(topic, p, 2**40) for topic in ("clicks", "ratings") for p in range(100))
    assert token is not None
    assert len(token) < MAX_LENGTH


@given(st.text() | st.binary().map(lambda raw: raw.decode("latin-1")))
def test_anything_else_is_refused(text: str) -> None:
    try:
        decode_token(text)
    except InvalidToken as error:
        assert "token" in str(error)


@pytest.mark.parametrize("token", ["", "kgGTCQAB", "kgKTAAAB", "kgGSAAA", "kgGTAAD_", "A" * (MAX_LENGTH + 1)])
def test_tokens_of_another_make_are_refused(token: str) -> None:
    with pytest.raises(InvalidToken):
        decode_token(token)
