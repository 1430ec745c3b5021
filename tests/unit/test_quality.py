"""The benchmark of quality: what must be reached is compared as written, and a run that was interrupted goes on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from click.testing import CliRunner
from rich.console import Console

from benchmarks.parts.quality_bars import bars
from benchmarks.parts.quality_jobs import CUTS, Job, jobs
from benchmarks.parts.quality_page import quality
from benchmarks.quality import Results, main, run_all
from commands.evaluate import command
from evaluation.contenders import OF_THE_ENGINE

TINY = Job("liked-only/ml-1m", "simulated:news?users=60&events=900", ("--every", "9", "--model", "blend,recency"), 1.0)


def compared(value: float, lower: float, metric: str, against: str, **where: object) -> dict[str, Any]:
    about = {"model": "blend", "against": against, "metric": metric, **where}
    return {**about, "relative": value, "relative_interval": [lower, lower + 1]}


def ranked(model: str, hit_rate: float, ndcg: float, **where: object) -> dict[str, Any]:
    figures = {
        "hr@10": hit_rate,
        "ndcg@10": ndcg,
        "hr@10_interval": [0, 1],
        "ndcg@10_interval": [0, 1],
        "scored": 20_503,
    }
    return {"model": model, **figures, **where}


def measured(found: list[dict[str, Any]], part: str) -> list[tuple[float, bool]]:
    return [(bar["measured"], bar["met"]) for bar in found if part in bar["what"]]


def test_floors_and_counts_are_those_of_the_data_set() -> None:
    rows = [ranked("blend", 0.121, 0.0644), *(ranked(name, 0.1, 0.06) for name in OF_THE_ENGINE[1:])]
    pairs = [compared(0.0, 0.0, metric, name) for metric in ("hr@10", "ndcg@10") for name in OF_THE_ENGINE]
    found = bars({"protocol-p/ml-latest-small": {"rows": rows, "comparisons": pairs}})
    assert measured(found, "blend, hr@10: mean") == [(0.121, True)]
    assert measured(found, "blend, ndcg@10: mean") == [(0.0644, False)]
    assert measured(found, "ranked") == [(20_503, True)]


@pytest.mark.parametrize(("lower", "met"), [(-0.0099, True), (-0.0101, False)])
def test_the_blend_is_held_against_the_best_of_its_scorers(lower: float, met: bool) -> None:
    best = OF_THE_ENGINE[2]
    rows = [ranked("blend", 0.2, 0.1), *(ranked(name, 0.1 + 0.1 * (name == best), 0.1) for name in OF_THE_ENGINE[1:])]
    pairs = [
        compared(0.0, lower if name == best else -0.5, metric, name)
        for metric in ("hr@10", "ndcg@10")
        for name in OF_THE_ENGINE[1:]
    ]
    found = bars({"regime/news": {"rows": rows, "comparisons": pairs}})
    assert measured(found, f"({best}), hr@10") == [(lower, met)]


def test_each_cut_is_held_against_the_popularity_of_days_frozen_not_live() -> None:
    where = [{"cut": cut, "live": live} for cut in CUTS for live in (False, True)]
    rows = [ranked("blend", 0.1, 0.1, **each) for each in where]
    pairs = [compared(0.1, -0.2 if each["live"] else 0.01, "hr@10", "popularity-7d", **each) for each in where]
    found = bars({"frozen/ml-1m": {"rows": rows, "comparisons": pairs}})
    assert [(bar["measured"], bar["met"]) for bar in found] == [(0.01, True)] * len(CUTS)


def test_names_of_jobs_are_distinct_and_their_arguments_are_understood() -> None:
    found = jobs()
    assert len({job.name for job in found}) == len(found)
    for job in found:
        command.make_context("evaluate", ["--events", job.data, *job.arguments])


def test_what_was_done_is_kept_and_not_done_again_unless_asked_for_something_else(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    results = Results(out)
    broken = replace(TINY, name="broken", arguments=("--model", "bland"))
    assert run_all([TINY, broken], tmp_path, results, 2, Console(quiet=True)) == 1
    again = Results(out)
    assert again.has(TINY)
    assert not again.has(broken)
    assert not again.has(replace(TINY, arguments=("--every", "8")))
    kept = orjson.loads(out.read_bytes())
    assert set(kept["jobs"]) == {TINY.name}
    assert str(tmp_path) not in out.read_text()
    page = quality({**kept, "bars": []})
    assert "| recency |" in page


def test_data_sets_that_are_not_there_are_named_and_the_exit_code_says_so(tmp_path: Path) -> None:
    arguments = ["--data", str(tmp_path), "--json", str(tmp_path / "out.json"), "--only", "ratings"]
    outcome = CliRunner().invoke(main, arguments)
    assert outcome.exit_code == 1
    assert "there is no folder ml-100k" in outcome.output.replace("\n", " ")
