"""Events on another partition than their user's: accepted by who owns all partitions, set aside by all others."""

from __future__ import annotations

from typing import Any

import pytest

from contracts.events import Click
from infra.settings import Settings
from streams.applying.intake import decode_events, decode_users
from streams.applying.rekeying import LONGEST
from streams.consuming.records import Records
from streams.forgetting.marks import BY_USER, Marks

NOBODY = Marks(Settings(), {f"headrace.{topic.name}": "id" for topic in BY_USER})
"""Nobody was ever forgotten."""


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
    given = decode_events(records(b'{"user":"u","item":"i"}'), Click, "id", lambda _: 1, NOBODY, foreign=foreign)
    assert given.batch.own == ([True, False] if foreign else [True])
    assert [error.reason for _, error in given.letters] == ([] if foreign else ["key is not the user"])


@pytest.mark.parametrize("user", ["u", "of another key"])
@pytest.mark.parametrize("foreign", [True, False])
def test_with_rekey_any_key_will_do_and_what_is_not_accepted_elsewhere_is_a_stray(user: str, foreign: bool) -> None:
    value = f'{{"user":"{user}","item":"i"}}'.encode()
    given = decode_events(records(value), Click, "id", lambda _: 1, NOBODY, foreign=foreign, rekey=True)
    assert given.batch.own == ([True, False] if foreign else [True])
    assert [(stray.user, stray.message.partition()) for stray in given.strays] == ([] if foreign else [(user, 2)])
    assert given.letters == []


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (b'{"user":"u"}', "invalid"),
        (b'{"user":"u","item":"i","context":{"page":"%s"}}' % (b"x" * LONGEST), "key is not the user"),
    ],
)
def test_what_cannot_be_used_or_is_too_long_is_not_forwarded(value: bytes, reason: str) -> None:
    given = decode_events(records(value), Click, "id", lambda _: 1, NOBODY, foreign=False, rekey=True)
    assert given.strays == []
    assert [error.reason for message, error in given.letters if message.partition() == 2] == [reason]


def test_of_what_was_forwarded_a_state_contains_no_offsets_and_nothing_is_forwarded_again() -> None:
    value = b'{"user":"u","item":"i"}'
    given = decode_events(records(value), Click, "id", lambda _: 1, NOBODY, foreign=False, forwarded=True)
    assert given.batch.own == [False]
    assert given.strays == []
    assert [error.reason for _, error in given.letters] == ["key is not the user"]


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
