"""From raw runs to medians and bars: as plain values for JSON, as tables for a terminal."""

from __future__ import annotations

from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.parts.bars import against_controls, bars

Runs = dict[str, list[dict[str, Any]]]

_MARKS = {True: "[green]met", False: "[red]missed", None: ""}
_FIGURES = {
    "control": ("events_per_second",),
    "clicks": ("events_per_second", "cpu_us_per_event"),
    "clicks_together": ("events_per_second", "cpu_us_per_event", "lists_per_event"),
    "ratings": ("events_per_second", "cpu_us_per_event"),
    "consume_headrace": ("messages_per_second",),
    "consume_faust": ("messages_per_second",),
    "freshness_control": ("p50_ms", "p99_ms"),
    "freshness": ("p50_ms", "p99_ms"),
}
_NAMES = {
    "control": "control: decode, set",
    "clicks": "worker, clicks",
    "clicks_together": "worker, clicks, shared",
    "ratings": "worker, ratings",
    "consume_headrace": "our consumer: decode",
    "consume_faust": "stock Faust: decode",
    "freshness_control": "control: produced → set",
    "freshness": "worker: produced → list",
}


def summarise(runs: Runs) -> dict[str, Any]:
    """Return the medians of all runs, how they compare with their controls, and the bars."""
    medians = {
        name: {figure: round(median(run[figure] for run in done), 3) for figure in _FIGURES[name]}
        for name, done in runs.items()
    }
    lists = [run["lists_per_event"] for name in ("clicks", "ratings") for run in runs.get(name, ())]
    derived = against_controls(medians)
    found = bars(medians, derived, min(lists, default=None))
    return {"medians": medians, "against_controls": derived, "bars": [bar.plain() for bar in found]}


def print_tables(results: dict[str, Any]) -> None:
    """Print the medians with their ranges, then the bars."""
    console = Console()
    figures = Table("", "", "median", "lowest", "highest", box=None, header_style="dim")
    for name, medians in results["medians"].items():
        for figure, value in medians.items():
            raw = [run[figure] for run in results["runs"][name]]
            figures.add_row(_NAMES[name], figure, *map(_shown, (value, min(raw), max(raw))))
        for figure, value in results["against_controls"].get(name, {}).items():
            figures.add_row(_NAMES[name], figure, f"[bold]{_shown(value)}")
    reached = Table("", "measured", "must", "", "stretch", "", box=None, header_style="dim")
    for bar in results["bars"]:
        sense = "≤" if bar["at_most"] else "≥"
        limits = ["" if bar[limit] is None else f"{sense} {_shown(bar[limit])}" for limit in ("must", "stretch")]
        marks = [_MARKS[bar[met]] for met in ("met", "stretch_met")]
        reached.add_row(bar["what"], _shown(bar["measured"]), limits[0], marks[0], limits[1], marks[1])
    console.print(figures)
    console.print()
    console.print(reached)
    loads = [run["load"] for done in results["runs"].values() for run in done]
    machine = results["machine"]
    console.print(
        f"\n{machine['cpu']}, {machine['cores']} cores; load {min(loads)} to {max(loads)} while it ran; "
        "above 3 others were at work",
        style="dim",
    )


def _shown(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:,.4g}"
