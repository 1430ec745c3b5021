"""The order of a replay: a law of the entries alone, whatever arrives when."""

from __future__ import annotations

import numpy as np
import pytest

from streams.replaying.merge import EVENT, Entries, Merger, entries, joined
from streams.replaying.plan import time_of

Row = tuple[int, int, int]  # time as merged, source, offset


def sources(seed: int, n_sources: int = 5, n: int = 200) -> list[list[int]]:
    """Event times of some sources: mostly rising, with many ties and clocks that go back."""
    draw = np.random.default_rng(seed)
    made = []
    for source in range(n_sources):
        length = int(draw.integers(0, n)) if source else n
        made.append((np.cumsum(draw.integers(-1, 3, length)) + 10).tolist())
    return made


def expected(times: list[list[int]]) -> list[Row]:
    rows: list[Row] = []
    for source, own in enumerate(times):
        rows += [
            (int(time), source, offset) for offset, time in enumerate(np.maximum.accumulate(own or [0])[: len(own)])
        ]
    return sorted(rows)


def rows_of(merged: list[Entries]) -> list[Row]:
    return [
        (int(time), int(source), int(offset))
        for part in merged
        for time, source, offset in zip(part.time, part.source, part.offset, strict=True)
    ]


def merge(times: list[list[int]], seed: int) -> list[Entries]:
    """Hand the sources over in random pieces and take out what can be, again and again."""
    draw = np.random.default_rng(seed)
    merger = Merger([-1] * len(times))
    done, taken = [0] * len(times), []
    for source, own in enumerate(times):
        if not own:
            merger.finish(source)
    while not merger.finished:
        source = int(draw.integers(len(times)))
        end = min(len(times[source]), done[source] + int(draw.integers(0, 40)))
        part = range(done[source], end)
        merger.put(entries(source, EVENT, part, [times[source][k] for k in part], [True] * len(part), list(part)))
        done[source] = end
        if end == len(times[source]):
            merger.finish(source)
        if draw.random() < 0.5 and (found := merger.take()) is not None:
            taken.append(found)
    if (found := merger.take()) is not None:
        taken.append(found)
    return taken


@pytest.mark.parametrize("seed", range(8))
def test_entries_come_by_time_then_source_then_offset_however_they_arrive(seed: int) -> None:
    times = sources(seed)
    assert rows_of(merge(times, seed)) == rows_of(merge(times, seed + 100)) == expected(times)


def test_an_entry_waits_while_something_may_come_before_it() -> None:
    merger = Merger([-1, -1])
    merger.put(entries(0, EVENT, [0, 1], [5, 9], [True] * 2, ["a", "b"]))
    assert merger.take() is None  # of the other source nothing is known
    merger.put(entries(1, EVENT, [0], [7], [True], ["c"]))
    found = merger.take()
    assert found is not None
    assert found.what.tolist() == ["a", "c"]
    merger.finish(1)
    found = merger.take()
    assert found is not None
    assert found.what.tolist() == ["b"]
    assert merger.held == [0, 0]


def test_a_clock_that_went_back_changes_no_order_within_its_source_nor_after_a_pause() -> None:
    merger = Merger([50, -1])
    merger.put(entries(0, EVENT, [7], [20], [True], ["late"]))
    merger.put(entries(1, EVENT, [0], [30], [True], ["other"]))
    merger.finish(0)
    merger.finish(1)
    found = merger.take()
    assert found is not None
    assert found.what.tolist() == ["other", "late"]
    assert found.time.tolist() == [30, 50]


def test_joined_parts_are_the_whole() -> None:
    whole = entries(0, EVENT, range(6), range(6), [True] * 6, list("abcdef"))
    again = joined([whole.take(slice(0, 2)), whole.take(slice(2, 6))])
    assert again.what.tolist() == list("abcdef")


@pytest.mark.parametrize(
    ("text", "ms"), [("1000", 1000), ("1970-01-01T00:00:01", 1000), ("1970-01-01T01:00:01+01:00", 1000), ("now", None)]
)
def test_times_are_milliseconds_or_iso_8601(text: str, ms: int | None) -> None:
    assert time_of(text, "now") == ms


def test_what_is_no_time_is_refused_with_the_remedy() -> None:
    with pytest.raises(Exception, match="'yesterday' is no time: say now, ISO 8601"):
        time_of("yesterday", "now")
