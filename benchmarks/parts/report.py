"""From raw runs to medians, ratios and bars; as plain values for JSON, and as tables for a terminal."""

from __future__ import annotations

from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

Runs = dict[str, list[dict[str, Any]]]

EVERY_LIST = 0.99
"""Lists per event below which a run did not measure what it should."""
_FIGURES = {
    "control": ("events_per_second",),
    "clicks": ("events_per_second", "lists_per_event", "cpu_us_per_event"),
    "ratings": ("events_per_second", "lists_per_event", "cpu_us_per_event"),
    "consume_headrace": ("messages_per_second",),
    "consume_faust": ("messages_per_second",),
    "freshness_control": ("p50_ms", "p99_ms"),
    "freshness": ("p50_ms", "p99_ms", "cpu_us_per_event"),
}
_NAMES = {
    "control": "control: consume, decode, set 1.6 kB",
    "clicks": "worker, clicks, every event refreshes a list",
    "ratings": "worker, ratings, the same",
    "consume_headrace": "our consumer: decode, group by user",
    "consume_faust": "stock Faust: decode, group by user",
    "freshness_control": "control: produce, consume, set",
    "freshness": "worker: produced → list in Redis",
}


def summarise(runs: Runs) -> dict[str, Any]:
    """Return medians of all runs, what is derived from them, and the bars."""
    medians = {
        name: {figure: round(median(run[figure] for run in done), 3) for figure in _FIGURES[name]}
        for name, done in runs.items()
        if done
    }
    derived: dict[str, Any] = {}
    bars: list[dict[str, Any]] = []
    if "clicks" in medians:
        derived |= _ratio_to_control(medians)
        bars.append(_at_least("worker, clicks: ratio to control", derived["clicks"]["ratio_to_control"], 0.08, 0.20))
        lists = min(run["lists_per_event"] for name in ("clicks", "ratings") for run in runs[name])
        bars.append(_at_least("worker: lists per event, fewest of all runs", lists, EVERY_LIST, 1.0))
    if "consume_faust" in medians:
        ratio = medians["consume_headrace"]["messages_per_second"] / medians["consume_faust"]["messages_per_second"]
        derived["consume"] = {"ratio_to_faust": round(ratio, 2)}
        bars.append(_at_least("consumer: times stock Faust", round(ratio, 2), 10.0, None))
    if "freshness" in medians:
        derived["freshness"] = _differences(medians)
        bars += _freshness_bars(medians)
    return {"medians": medians, "derived": derived, "bars": bars}


def print_tables(summary: dict[str, Any], runs: Runs) -> None:
    """Print every run's figures and their medians, then the bars."""
    console = Console()
    figures = Table("measured", "figure", "median", "runs", title="Figures")
    for name, medians in summary["medians"].items():
        for figure, value in medians.items():
            raw = "  ".join(_shown(run[figure]) for run in runs[name])
            figures.add_row(_NAMES[name], figure, _shown(value), raw)
    for name, values in summary["derived"].items():
        for figure, value in values.items():
            figures.add_row(_NAMES.get(name, name), figure, f"[bold]{_shown(value)}", "")
    bars = Table("bar", "measured", "must", "", "stretch", "", title="Bars")
    for bar in summary["bars"]:
        bars.add_row(
            bar["what"], _shown(bar["measured"]),
            f"{bar['sense']} {_shown(bar['must'])}", _mark(bar["met"]),
            "" if bar["stretch"] is None else f"{bar['sense']} {_shown(bar['stretch'])}", _mark(bar["stretch_met"]),
        )  # fmt: skip
    console.print(figures)
    console.print(bars)


def _ratio_to_control(medians: dict[str, Any]) -> dict[str, Any]:
    control = medians["control"]["events_per_second"]
    return {
        name: {"ratio_to_control": round(medians[name]["events_per_second"] / control, 4)}
        for name in ("clicks", "ratings")
    }


def _differences(medians: dict[str, Any]) -> dict[str, Any]:
    ours, control = medians["freshness"], medians["freshness_control"]
    return {f"{p}_over_control": round(ours[p] - control[p], 1) for p in ("p50_ms", "p99_ms")}


def _freshness_bars(medians: dict[str, Any]) -> list[dict[str, Any]]:
    ours, control = medians["freshness"], medians["freshness_control"]
    return [
        _at_most("freshness p50, ms: control + 30", ours["p50_ms"], round(control["p50_ms"] + 30, 1), 20.0),
        _at_most("freshness p99, ms: control + 150", ours["p99_ms"], round(control["p99_ms"] + 150, 1), 80.0),
    ]


def _at_least(what: str, measured: float, must: float, stretch: float | None) -> dict[str, Any]:
    met, reached = measured >= must, None if stretch is None else measured >= stretch
    return _bar(what, measured, "≥", must, met, stretch, reached)


def _at_most(what: str, measured: float, must: float, stretch: float) -> dict[str, Any]:
    return _bar(what, measured, "≤", must, measured <= must, stretch, measured <= stretch)


def _bar(
    what: str, measured: float, sense: str, must: float, met: bool, stretch: float | None, reached: bool | None
) -> dict[str, Any]:
    return {
        "what": what,
        "measured": measured,
        "sense": sense,
        "must": must,
        "met": met,
        "stretch": stretch,
        "stretch_met": reached,
    }


def _mark(met: bool | None) -> str:
    return {True: "[green]met", False: "[red]missed", None: ""}[met]


def _shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.4g}"
