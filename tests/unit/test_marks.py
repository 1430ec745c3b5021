"""Marks of forgotten people: what they make workers, replays and dead letters skip, and what they leave alone."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from contracts.marks import End, Mark, Wish, encode_mark, person, salt_key
from infra.errors import BrokerError
from infra.settings import Settings
from streams.forgetting.marks import Marks

TOPICS = [f"headrace.{name}" for name in ("clicks", "ratings", "impressions", "users")]
CLICKS, RATINGS, _, USERS = TOPICS
IDS = {name: f"id of {name}" for name in TOPICS}
SALT = b"salt"


class Message(NamedTuple):
    at: int
    named: bytes
    held: bytes

    def offset(self) -> int:
        return self.at

    def key(self) -> bytes:
        return self.named

    def value(self) -> bytes:
        return self.held

    def topic(self) -> str:
        return "headrace.marks"


def mark(generation: int = 5, clicks: int = 10, ratings: int = 20, **more: Any) -> Mark:
    ends = {CLICKS: End(IDS[CLICKS], clicks), RATINGS: End(IDS[RATINGS], ratings), USERS: End(IDS[USERS], 3)}
    return Mark(generation, 1000, 2, ends, Wish(USERS, IDS[USERS], 2, 2), **more)


def marks(*given: Mark, salts: tuple[bytes, ...] = (SALT,)) -> Marks:
    """Return marks of ``ann``, after the salts."""
    known = Marks(Settings(), IDS)
    records = [(salt_key(salt), b"{}") for salt in salts] + [(person("ann", SALT), encode_mark(each)) for each in given]
    known.hear(Message(offset, key, value) for offset, (key, value) in enumerate(records))
    return known


@pytest.mark.parametrize(
    ("topic", "partition", "offset", "stamp", "skipped"),
    [
        (CLICKS, 2, 9, 2000, True),
        (CLICKS, 2, 10, 500, False),
        (RATINGS, 2, 19, 2000, True),
        (RATINGS, 2, 20, 500, False),
        (USERS, 2, 2, 2000, True),
        (USERS, 2, 3, 500, False),
        (CLICKS, 1, 10, 1000, True),  # on another partition than the user's own the time decides
        (CLICKS, 1, 9, 1001, False),
        ("elsewhere", 2, 0, 999, True),
    ],
)
def test_what_stands_below_a_mark_is_skipped(
    topic: str, partition: int, offset: int, stamp: int, skipped: bool
) -> None:
    known = marks(mark())
    assert known.skips("ann", topic, partition, offset, stamp) == skipped
    assert not known.skips("anna", topic, partition, offset, stamp)


def test_offsets_of_a_topic_that_was_created_anew_say_nothing() -> None:
    known = marks(mark())
    known.ids[CLICKS] = "another"
    assert known.skips("ann", CLICKS, 2, 500, 1000)
    assert not known.skips("ann", CLICKS, 2, 0, 1001)
    rebirth = known.rebirth("ann")
    assert rebirth and rebirth.offsets == (-1, 19)


def test_who_returns_starts_behind_the_newest_mark() -> None:
    known = marks(mark(), mark(6, 30, 40))
    assert known.rebirth("ann") == (6, (29, 39))
    assert known.rebirth("anna") is None
    assert known.position == 3


def test_of_two_marks_for_one_wish_the_first_counts() -> None:
    assert marks(mark(), mark(clicks=50)).rebirth("ann") == (5, (9, 19))


def test_of_two_salts_the_first_counts() -> None:
    assert marks(mark(), salts=(SALT, b"other")).of("ann") == mark()


def test_without_marks_nothing_is_skipped() -> None:
    known = marks()
    assert not known
    assert not known.skips("ann", CLICKS, 2, 0, 0)


def test_a_mark_of_a_newer_version_stops_the_reader() -> None:
    with pytest.raises(BrokerError, match="offset 1: a mark of format 2, this version reads 1: upgrade"):
        marks(mark(format=2))


def test_a_mark_names_nobody() -> None:
    record = person("ann-5c1e", SALT) + encode_mark(mark())
    assert b"ann" not in record
    assert person("ann-5c1e", SALT) != person("ann-5c1e", b"other")
