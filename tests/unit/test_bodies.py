"""From bodies to events: each alone, the same under the same key, and patches as RFC 7396 says."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from contracts.events import Click, Impression, Rating
from serving.writing.bodies import JSON_LINES, InvalidBody, merged, take

NOW = 1_700_000_000_000
KINDS = (Click, Rating, Impression)
EVENTS = [{"user": "ann", "item": "a"}, {"user": "ann", "item": "a"}, {"user": "bob", "item": "b", "rating": 3}]


def ids(body: bytes, media_type: str, key: str, now: int = NOW) -> list[Any]:
    return [event.id for event in take(body, media_type, KINDS, now, 100, key).events]  # type: ignore[union-attr]


def test_the_same_body_under_the_same_key_gives_the_same_identities_whenever_it_comes() -> None:
    array, lines = orjson.dumps(EVENTS), b"\n".join(map(orjson.dumps, EVENTS))
    found = ids(array, "", "k")
    assert len(set(found)) == 3
    assert ids(lines, JSON_LINES, "k", NOW + 60_000) == found
    assert not set(ids(array, "", "other")) & set(found)
    assert take(array, "", KINDS, NOW, 100).events[0].id is None  # type: ignore[union-attr]


def test_an_event_keeps_its_own_id() -> None:
    assert ids(b'{"user":"a","item":"b","id":"own"}', "", "k") == ["own"]


def test_a_line_that_is_none_takes_nothing_else_with_it() -> None:
    taken = take(b'{"user":"a","item":"b"}\r\n\n{"user":\n{"user":"a","item":"c"}', JSON_LINES, KINDS, NOW, 100)
    assert len(taken.events) == 2
    assert [(refused.index, refused.reason, refused.event) for refused in taken.refused] == [
        (2, "malformed", '{"user":')
    ]


def test_a_body_that_holds_too_many_is_refused_whole() -> None:
    with pytest.raises(InvalidBody, match="more than 2"):
        take(orjson.dumps(EVENTS), "", KINDS, NOW, 2)


@pytest.mark.parametrize(
    ("record", "change", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_a_patch_is_merged_as_the_standard_says(record: Any, change: Any, result: Any) -> None:
    assert merged(record, change) == result
