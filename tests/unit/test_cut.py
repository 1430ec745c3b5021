"""The head of a stored list, cut out of its JSON."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.redis import encode_list
from serving.answers import wire
from serving.lists.recommend import Answer, Wishes, personal, pick
from serving.reading.cut import cut
from serving.reading.values import UserList, decode

ids = st.text(st.sampled_from('ab",\\[]{}é\n\u2028🎬'), min_size=1, max_size=6)


def read_whole(value: bytes, n: int) -> bytes:
    stored = decode(UserList, "key", value)
    assert stored is not None
    stage, entries = pick([personal(stored)], set(), Wishes(n))
    answer = Answer(stage, stored.version, stored.time, entries, "main")
    return orjson.dumps(wire.recommended(answer, wire.shown(entries, {})))


@given(
    st.lists(ids, max_size=6, unique=True),
    st.lists(st.floats(-9, 9).map(lambda score: round(score, 3)), min_size=6, max_size=6),
    st.none() | st.lists(st.floats(1, 5), max_size=3),
    st.integers(1, 8),
)
def test_what_is_cut_out_equals_what_reading_the_whole_list_gives(
    items: list[str], scores: list[float], ratings: list[float] | None, n: int
) -> None:
    value = encode_list("3.1", items, scores[: len(items)], [["together", "x"]], 1000, "77", ratings)
    found = cut(value, n, "main")
    if found is None:
        assert not items or any("\\" in orjson.dumps(item).decode() for item in items)
    else:
        assert orjson.loads(found.body) == orjson.loads(read_whole(value, n))
        assert (found.items, found.version, found.time) == (items[:n], "3.1", 1000)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"[]",
        b"\xff",
        b'{"items":["a"],"scores":[1.0]}',
        b'{"items":["a","a"],"scores":[2.0,1.0],"version":"1","time":1}',
        b'{"items":["a","b"],"scores":[1.0],"version":"1","time":1}',
        b'{"items":[],"scores":[],"version":"1","time":1}',
        b'{"items":7,"scores":{},"version":"1","time":1}',
        b'{"items":["a", "b"],"scores":[1.0, 0.5],"version":"1","time":1}',
        b'{"items":["a" ,"b"],"scores":[1.0,0.5],"version":"1","time":1}',
        b'{"items":[["a"],["b"]],"scores":[1.0,0.5],"version":"1","time":1}',
        b'{"items":[1,2],"scores":[1.0,0.5],"version":"1","time":1}',
        b'{"items":["a"],"scores":["x"],"version":"1","time":1}',
        b'{"items":["a"],"scores":[1.0],"version":"\\"","time":1}',
    ],
)
def test_what_is_not_as_workers_write_it_is_left_to_be_read_whole(value: bytes) -> None:
    assert cut(value, 5, "main") is None
