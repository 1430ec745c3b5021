"""The protocol of cold items keeps items out, ranks their first events, and compares like with like."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from workload import events

from commands.evaluate import command
from contracts.events import Click, Item, encode
from evaluation.coldstart import FIRST, GROUPS, ColdPlan, cold_items
from evaluation.jsonlines import JsonLines
from evaluation.stream import Stream, read_stream
from infra.errors import HeadraceError

RECORDS = [Item(f"i{n}", title=f"number {n % 3}", categories=["even" if n % 2 else "odd"]) for n in range(60)]


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of records and clicks."""
    path = tmp_path_factory.mktemp("cold") / "events.jsonl"
    stream: list[Any] = [*RECORDS, *events(4000, ratings=0.0, types=("click",))]
    path.write_bytes(b"\n".join(map(encode, stream)))
    return path


@pytest.fixture(scope="module")
def stream(path: Path) -> Stream:
    return read_stream([JsonLines(path)])


@pytest.fixture(scope="module", params=[0, 5])
def found(stream: Stream, request: pytest.FixtureRequest) -> ColdPlan:
    return cold_items(stream, every=2, seed=request.param)


def evaluated(path: Path, *arguments: str) -> dict[str, Any]:
    asked = ["--events", str(path), *arguments, "--json", "-"]
    outcome = CliRunner().invoke(command, asked, catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output
    return json.loads(outcome.stdout)  # type: ignore[no-any-return]


def test_a_fifth_of_the_items_is_kept_out_of_the_first_half(stream: Stream, found: ColdPlan) -> None:
    kept = found.plan.stream
    early = kept.time < stream.time[len(stream) // 2]
    assert not (found.cold & early).any()
    assert abs(len(np.unique(kept.item[found.cold])) - 12) <= 1
    assert set(np.unique(kept.item[~found.cold])) & set(np.unique(kept.item[found.cold])) == set()


def test_ranked_are_the_first_events_of_cold_items_and_late_ones_of_items_long_known(found: ColdPlan) -> None:
    had: dict[int, int] = {}
    kept, late = found.plan.stream, np.flatnonzero(found.cold)[0]
    chosen = set(found.plan.chosen.tolist())
    for event, item in enumerate(kept.item.tolist()):
        n = had[item] = had.get(item, 0) + 1
        if found.cold[event]:
            assert (event in chosen) == (n <= FIRST)
        elif event in chosen:
            assert n > FIRST
            assert event % 2 == 0
            assert event >= late - len(kept) // 10


def test_nobody_has_an_item_twice_in_a_row_where_one_was_taken_out() -> None:
    clicks = [Click("u", item, time) for time, item in enumerate("abaca" * 8)]
    stream = Stream(
        "", ["u"], list("abc"), np.zeros(40, np.int32), np.array(["abc".index(each.item) for each in clicks], np.int32),
        np.arange(40), np.full(40, np.nan), np.zeros(40, np.uint8), {}, {}, {},
    )  # fmt: skip
    for seed in range(4):
        items = cold_items(stream, seed=seed).plan.stream.item
        assert (items[1:] != items[:-1]).all()


def test_the_choice_of_items_depends_on_the_seed_alone(stream: Stream) -> None:
    one, again, other = (cold_items(stream, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(one.plan.chosen, again.plan.chosen)
    assert set(one.plan.stream.item[one.cold]) != set(other.plan.stream.item[other.cold])


def test_rows_and_comparisons_hold_both_arms_of_both_groups(path: Path) -> None:
    result = evaluated(
        path, "--protocol", "cold-items", "--every", "4", "--model", "blend,embeddings,popularity", "--seed", "0,1"
    )
    rows, comparisons = result["rows"], result["comparisons"]
    assert [(row["items"], row["content"]) for row in rows] == 2 * [(g, c) for g in GROUPS for c in (True, False)]
    assert {row["model"].split(",")[0] for row in rows} == {"blend", "embeddings"}
    for row in rows:
        assert 0 <= row["hr@10_interval"][0] <= row["hr@10"] <= row["hr@10_interval"][1] <= 1
        assert row["protocol"] == "cold-items"
    assert rows[0]["scored"] == rows[1]["scored"] > 0
    assert rows[0]["mrr"] != rows[1]["mrr"]
    named = {row["model"]: row for row in rows}
    for each in comparisons:
        difference = named[each["model"]][each["metric"]] - named[each["against"]][each["metric"]]
        assert each["difference"] == pytest.approx(difference)
        assert each["interval"][0] <= each["difference"] <= each["interval"][1]
    assert len(comparisons) == 2 * len(GROUPS) * 3


def test_content_that_nobody_wrote_cannot_be_compared(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    path.write_bytes(b"\n".join(map(encode, events(300))))
    with pytest.raises(HeadraceError, match="says nothing about its items"):
        evaluated(path, "--protocol", "cold-items")


def test_content_changes_neither_what_is_ranked_nor_what_is_counted(path: Path) -> None:
    arguments = ("--every", "3", "--model", "popularity,followed")
    told, untold = evaluated(path, *arguments), evaluated(path, *arguments, "--no-content")
    for counted in (0, 1):
        assert told["rows"][counted]["mrr"] == untold["rows"][counted]["mrr"]
    for reason in ("scored", "first_of_item", "first_of_user"):
        assert told["rows"][0].get(reason) == untold["rows"][0].get(reason)
    assert told["settings"]["content"] is True
