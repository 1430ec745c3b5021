"""A stream is all events in time order, each once, whatever they were read from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from test_protocols import Events

from contracts.events import Click, Impression, Rating
from evaluation.datasets import open_dataset
from evaluation.rows import Dropped
from evaluation.stream import Stream, read_stream


def told(stream: Stream) -> list[str]:
    """Return user and item of each event."""
    return [f"{event.user}{event.item}" for event in stream.events(0, len(stream))]


def test_several_data_sets_are_merged_by_time_and_equal_times_keep_their_order() -> None:
    one, other = [Click("a", "x", 1), Click("a", "y", 5)], [Click("b", "z", 1), Rating("b", "x", 3.0, 4)]
    merged = read_stream([Events(one), Events(other)])
    assert told(merged) == ["ax", "bz", "bx", "ay"]
    assert np.array_equal(merged.rating, [np.nan, np.nan, 3.0, np.nan], equal_nan=True)


def test_events_come_back_as_they_went_in() -> None:
    rows = [Click("a", "x", 1000, "purchase"), Rating("b", "x", 2.5, 2000), Click("a", "y", 3000)]
    assert read_stream([Events(rows)]).events(0, 3) == rows


def test_duplicates_and_immediate_repeats_are_left_out_and_counted() -> None:
    rows = [Click("a", "x", 1), Click("a", "x", 1), Click("a", "y", 2), Click("a", "x", 1), Click("a", "y", 3)]
    rows += [Click("b", "y", 4, id="1"), Click("b", "x", 5, id="1"), Click("a", "x", 6), Click("b", "x", 7)]
    stream = read_stream([Events(rows)])
    assert told(stream) == ["ax", "ay", "by", "ax", "bx"]
    assert stream.left_out == {"duplicate": 3, "repeat": 1}


def test_rows_that_no_worker_could_use_are_left_out_and_counted() -> None:
    rows = [Click("a", "x", 1), Dropped("malformed", 2, "", ""), Click("a", "y", 2, "stare"), Click("", "y", 3)]
    rows += [Rating("a", "y", 1e7, 4), Click("a", "y", -1), Impression("a", ["x"], "1.1", 5)]
    left_out = {"malformed": 1, "unknown type": 1, "bad id": 1, "bad rating": 1, "bad time": 1, "impression": 1}
    assert read_stream([Events(rows)]).left_out == left_out


def test_an_event_without_a_time_keeps_its_place() -> None:
    rows = [Click("a", "x", 5), Click("b", "y"), Click("c", "z", 6)]
    assert told(read_stream([Events(rows)])) == ["ax", "by", "cz"]


def test_a_users_times_are_distinct_and_move_no_further_than_needed() -> None:
    rows = [Click("a", item, time) for item, time in zip("xyzxy", (1000, 1000, 1000, 1001, 5000), strict=True)]
    stream = read_stream([Events([*rows, Click("b", "x", 1000)])])
    assert stream.time[stream.user == 0].tolist() == [1000, 1001, 1002, 1003, 5000]
    assert stream.time[stream.user == 1].tolist() == [1000]


def test_a_limit_takes_the_first_events_in_time() -> None:
    rows = [Click("a", "z", 3), Click("a", "x", 1), Click("b", "y", 2)]
    assert told(read_stream([Events(rows)], limit=2)) == ["ax", "by"]


@pytest.mark.parametrize("change", ["user", "item", "time", "rating", "kind"])
def test_the_hash_tells_streams_apart_by_every_column(change: str) -> None:
    stream = read_stream([Events([Rating("a", "x", 1.0, 1), Rating("b", "y", 2.0, 2)])])
    column = getattr(stream, change)
    changed = Stream(**{**vars(stream), change: np.roll(column, 1) if change != "kind" else column + 1})
    assert changed.hash != stream.hash


def test_the_same_events_have_the_same_hash_from_any_format(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("u,i,t\na,x,1000\nb,y,2000\n")
    (tmp_path / "b.jsonl").write_text('{"user":"a","item":"x","time":1000000}\n{"user":"b","item":"y","time":2000000}')
    columns = {"user": "u", "item": "i", "time": "t"}
    hashes = {read_stream([open_dataset(tmp_path / "a.csv", columns)]).hash}
    assert read_stream([open_dataset(tmp_path / "b.jsonl")]).hash in hashes


def test_nothing_is_an_empty_stream() -> None:
    assert len(read_stream([Events([])])) == 0
