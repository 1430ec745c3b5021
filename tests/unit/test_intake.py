"""Events on another partition than their user's: accepted by who owns all partitions, set aside by all others."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.events import Click
from streams.intake import decode_events, decode_users
from streams.records import Records


class Message:
    def __init__(self, partition: int, value: bytes) -> None:
        self._partition, self._value = partition, value

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return 0

    def key(self) -> bytes:
        return b"u"

    def value(self) -> bytes:
        return self._value

    def timestamp(self) -> tuple[int, int]:
        return 1, 1_000_000


def records(value: bytes) -> Records:
    messages: list[Any] = [Message(partition, value) for partition in (1, 2)]
    return Records("t", messages, {1: (0, 0), 2: (0, 0)}, lambda: frozenset({1, 2}), lambda: None)


@pytest.mark.parametrize("foreign", [True, False])
def test_an_event_on_a_foreign_partition(foreign: bool) -> None:
    given = decode_events(records(b'{"user":"u","item":"i"}'), Click, "id", lambda _: 1, foreign=foreign)
    assert given.batch.own == ([True, False] if foreign else [True])
    assert [error.reason for _, error in given.letters] == ([] if foreign else ["key is not the user"])


@pytest.mark.parametrize("foreign", [True, False])
def test_a_record_of_a_user_on_a_foreign_partition(foreign: bool) -> None:
    given = decode_users(records(b'{"user":"u","attributes":{"a":1}}'), lambda _: 1, foreign=foreign)
    assert [error.reason for _, error in given.letters] == ([] if foreign else ["key is not the user"])


def test_of_a_batch_only_what_is_still_ours_is_left() -> None:
    batch = records(b"")
    batch.still = lambda: frozenset({2})
    left = batch.ours()
    assert [message.partition() for message in left.messages] == [2]
    assert left.next_offsets == {("t", 2): 1}
    batch.still = lambda: frozenset({1, 2})
    assert batch.ours() is batch
