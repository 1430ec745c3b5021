"""An evaluation from the command line: figures in every form, with all that is needed to make them again."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from workload import events

from commands.evaluate import command
from contracts.events import encode
from infra.errors import HeadraceError


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of events in the wire form, half of them ratings."""
    path = tmp_path_factory.mktemp("events") / "events.jsonl"
    path.write_bytes(b"\n".join(encode(event) for event in events(900, ratings=0.5)))
    return path


def run(*arguments: object) -> str:
    outcome = CliRunner().invoke(command, [str(argument) for argument in arguments], catch_exceptions=False)
    assert outcome.exit_code == 0, outcome.output
    return outcome.stdout


def evaluated(*arguments: object) -> dict[str, Any]:
    return json.loads(run(*arguments, "--json", "-"))  # type: ignore[no-any-return]


@pytest.fixture(scope="module")
def result(lines: Path) -> dict[str, Any]:
    return evaluated("--events", lines, "--every", 2, "--seed", "0,1", "--model", "blend,popularity,random,ratings")


def test_a_row_has_its_figures_its_intervals_and_where_they_came_from(result: dict[str, Any]) -> None:
    row = result["rows"][0]
    assert (row["model"], row["protocol"], row["data"], row["seeds"]) == (
        "blend",
        "prequential",
        "events.jsonl",
        [0, 1],
    )
    for metric in ("hr@10", "ndcg@10", "mrr"):
        low, high = row[f"{metric}_interval"]
        assert 0 <= low <= row[metric] <= high <= 1
        assert sum(row[f"{metric}_by_seed"]) / 2 == pytest.approx(row[metric])
    for name in ("recall@10", "precision@10", "f1@10", "map@10", "coverage@10", "gini@10", "novelty@10", "ild@10"):
        assert row[name] >= 0
    assert row["us_per_event"] > 0
    assert row["data_hash"] == result["stream"]["hash"]


def test_every_chosen_event_is_accounted_for(result: dict[str, Any]) -> None:
    row, n = result["rows"][0], result["stream"]["events"]
    chosen = len([position for position in range(n) if position >= 0.1 * n and position % 2 == 0])
    assert (
        sum(row.get(name, 0) for name in ("scored", "first_of_user", "first_of_item", "had_before", "no_wish"))
        == chosen
    )
    assert row["events"] == n
    left_out = result["stream"]["left_out"]
    assert n + sum(left_out.values()) == 900


def test_the_rating_model_has_a_row_of_its_own(result: dict[str, Any]) -> None:
    row = result["rows"][-1]
    assert row["model"] == "ratings"
    assert 0 < row["mae"] <= row["rmse"]
    assert len(row["rmse_of_each"]) == 2


def test_the_first_model_is_compared_with_each_other_one_in_pairs(result: dict[str, Any]) -> None:
    pairs = [(each["model"], each["against"], each["metric"]) for each in result["comparisons"]]
    metrics = ("hr@10", "ndcg@10", "mrr")
    assert pairs == [("blend", other, metric) for other in ("popularity", "random") for metric in metrics]
    by_model = {row["model"]: row for row in result["rows"]}
    for each in result["comparisons"]:
        apart = by_model["blend"][each["metric"]] - by_model[each["against"]][each["metric"]]
        assert each["difference"] == pytest.approx(apart)
        assert each["interval"][0] <= apart <= each["interval"][1]


def test_series_have_a_value_for_each_model_and_point(result: dict[str, Any]) -> None:
    sliding, days = result["series"]["sliding"], result["series"]["days"]
    for series, points in ((sliding, len(sliding["event"])), (days, len(days["day"]))):
        assert list(series["models"]) == ["blend", "popularity", "random"]
        assert {len(values) for model in series["models"].values() for values in model.values()} == {points}
    assert sum(days["events"]) == result["rows"][0]["scored"]


def test_settings_and_versions_are_told(result: dict[str, Any]) -> None:
    assert result["settings"]["every"] == 2
    assert set(result["versions"]) == {"headrace", "numpy", "numba", "river", "python"}


def test_the_same_call_gives_the_same_figures(lines: Path, result: dict[str, Any]) -> None:
    again = evaluated("--events", lines, "--every", 2, "--seed", "0,1", "--model", "blend,popularity,random,ratings")

    def figures(found: dict[str, Any]) -> list[dict[str, Any]]:
        return [{name: value for name, value in row.items() if not name.startswith("us_")} for row in found["rows"]]

    assert figures(again) == figures(result)
    assert again["comparisons"] == result["comparisons"]


def test_shuffled_twins_stand_beside_the_engines_scorers_only(lines: Path) -> None:
    found = evaluated("--events", lines, "--every", 5, "--shuffle", "--model", "together", "--model", "recency")
    assert [row["model"] for row in found["rows"]] == ["together", "together:shuffled", "recency"]


@pytest.mark.parametrize("protocol", ["temporal", "leave-one-out"])
def test_other_protocols_rank_each_user_once(protocol: str, lines: Path) -> None:
    row = evaluated("--events", lines, "--protocol", protocol, "--model", "blend", "--cut", "0.5")["rows"][0]
    assert 0 < row["scored"] <= 20


def test_each_cut_has_its_rows_and_comparisons_and_the_live_ones_beside_them(lines: Path) -> None:
    found = evaluated(
        "--events", lines, "--protocol", "temporal", "--cut", "0.5,0.8", "--live", "--model", "blend,popularity-7d"
    )  # fmt: skip
    groups = [(0.5, False), (0.5, True), (0.8, False), (0.8, True)]
    assert [(row["cut"], row["live"], row["model"]) for row in found["rows"]] == [
        (*group, name) for group in groups for name in ("blend", "popularity-7d")
    ]
    assert [(each["cut"], each["live"]) for each in found["comparisons"]] == [g for g in groups for _ in range(3)]


def test_what_no_seed_can_change_is_ranked_once_and_stands_in_every_pass(lines: Path) -> None:
    arguments = ("--events", lines, "--every", 5, "--seed", "3,4", "--model")
    rows = {row["model"]: row for row in evaluated(*arguments, "blend,recency,popularity")["rows"]}
    assert len(set(rows["recency"]["hr@10_by_seed"])) == 1
    assert rows["recency"]["us_per_ranking"] > 0
    alone = evaluated(*arguments, "popularity")["rows"][0]
    assert {name: alone[name] for name in ("hr@10", "gini@10")} == {
        name: rows["popularity"][name] for name in ("hr@10", "gini@10")
    }


def test_cross_validation_has_a_figure_for_each_fold(lines: Path) -> None:
    (row,) = evaluated("--events", lines, "--protocol", "kfold", "--folds", 3)["rows"]
    assert (row["model"], len(row["rmse_of_each"])) == ("ratings", 3)


def test_clicks_on_what_was_shown_have_a_table_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "shown.jsonl"
    shown = '{"user":"a","items":["x","y"],"list":"1.1","time":1}'
    path.write_text(f'{shown}\n{{"user":"a","item":"y","time":2,"list":"1.1"}}')
    page = tmp_path / "page.html"
    text = run("--events", path, "--protocol", "clicks", "--html", page)
    for word in ("auc", "log_loss", "item-place-rate", "2 shown, 1 clicked"):
        assert word in text
    assert "log_loss" in page.read_text()


def test_the_page_is_complete_in_itself_and_escapes_what_it_was_given(lines: Path, tmp_path: Path) -> None:
    named = tmp_path / "<b>&.jsonl"
    named.write_bytes(lines.read_bytes())
    page = tmp_path / "report.html"
    run("--events", named, "--every", 3, "--model", "blend,popularity", "--html", page)
    html = page.read_text()
    assert not re.search(r"https?:|src=|@import|url\(|<script", html)
    assert "<b>&." not in html
    assert html.count("<svg") >= 2
    assert html.count("<polyline") == 2 * html.count("<svg")


def test_the_table_names_models_figures_and_what_was_not_ranked(lines: Path) -> None:
    shown = run("--events", lines, "--every", 3, "--model", "blend,popularity")
    for word in (
        "events.jsonl",
        "blend",
        "popularity",
        "hr@10",
        "ndcg@10",
        "ranked",
        "blend against popularity",
        "hash",
    ):
        assert word in shown


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (["--events", "absent"], "does not exist"),
        (["--model", "bland"], "no model 'bland'"),
        (["--json", "/absent/folder/out.json", "--limit", "30"], "cannot write"),
        (["--columns", "user=u,item=i"], "time=COLUMN"),
    ],
)
def test_mistakes_end_in_one_line_with_the_remedy(arguments: list[str], word: str, lines: Path) -> None:
    given = arguments if "--events" in arguments else ["--events", str(lines), *arguments]
    with pytest.raises(HeadraceError, match=word):
        CliRunner().invoke(command, given, catch_exceptions=False)


def test_events_without_ratings_cannot_be_predicted(tmp_path: Path) -> None:
    path = tmp_path / "clicks.jsonl"
    path.write_text('{"user":"a","item":"x","time":1}')
    with pytest.raises(HeadraceError, match="holds no ratings"):
        CliRunner().invoke(command, ["--events", str(path), "--protocol", "kfold"], catch_exceptions=False)


def test_a_stream_too_short_to_rank_anything_is_no_error(tmp_path: Path) -> None:
    path = tmp_path / "clicks.jsonl"
    path.write_text('{"user":"a","item":"x","time":1}\n{"user":"b","item":"x","time":2}')
    found = evaluated("--events", path, "--model", "blend,popularity", "--html", tmp_path / "page.html")
    assert [row["scored"] for row in found["rows"]] == [0, 0]
    assert (tmp_path / "page.html").exists()
