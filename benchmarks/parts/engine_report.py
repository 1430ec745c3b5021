"""From the rounds of the engine's benchmark to medians, ratios and bars, and both as tables."""

from __future__ import annotations

from statistics import median
from typing import Any

from rich.console import Console
from rich.table import Table

from benchmarks.parts.bars import Bar

Rounds = dict[str, list[dict[str, float]]]  # catalogue → rounds of part → µs
_GUIDES = {"3.7k": (100.0, 55.0), "10k": (150.0, 75.0)}
_GROWTH = 5.0  # per cent over the last third of the stream
_FIRST_EVENT_S = 1.0


def summarise(rounds: Rounds) -> dict[str, Any]:
    """Return, by catalogue, the median and the lowest of each part, and the medians of its ratio to the control."""
    parts = {size: [part for part in done[0] if part != "load"] for size, done in rounds.items()}
    return {
        "medians": {size: _of(rounds[size], parts[size], median) for size in rounds},
        "lowest": {size: _of(rounds[size], parts[size], min) for size in rounds},
        "ratios": {size: _ratios(done) for size, done in rounds.items()},
    }


def bars(results: dict[str, Any]) -> list[Bar]:
    """Return the bars of what was measured."""
    found = []
    for size, (must, stretch) in _GUIDES.items():
        if size in results.get("lowest", {}):
            lowest = results["lowest"][size]["learn + refresh"]
            found.append(Bar(f"learn + refresh, {size} items, µs, quietest round", lowest, True, must, stretch))
    if "start" in results:
        first = median(run["first_event_s"] for run in results["start"])
        found.append(Bar("first event of a new process, s", round(first, 3), True, _FIRST_EVENT_S))
    if "memory" in results:
        found.append(Bar("memory, growth over the last third, %", growth(results["memory"]), True, _GROWTH))
    return found


def growth(memory: dict[str, Any]) -> float:
    """Return by how many per cent the resident memory grew over the last third of the stream."""
    sizes = [size for _, size in memory["curve"]]
    return round(float(100 * (sizes[-1] / sizes[2 * len(sizes) // 3] - 1)), 2)


def print_tables(results: dict[str, Any]) -> None:
    """Print µs per event by part and catalogue, then the bars."""
    console = Console()
    if "medians" in results:
        sizes = list(results["medians"])
        table = Table("µs of a core, per event or list", *sizes, box=None, header_style="dim")
        for part in results["medians"][sizes[0]]:
            table.add_row(part, *(f"{results['medians'][size][part]:,.1f}" for size in sizes))
        for ratio in results["ratios"][sizes[0]]:
            table.add_row(f"[bold]{ratio}", *(f"[bold]{results['ratios'][size][ratio]:.2f}" for size in sizes))
        console.print(table)
    if "start" in results:
        for name in results["start"][0]:
            console.print(f"{name} {median(run[name] for run in results['start']):.3f}")
    if "memory" in results:
        curve = results["memory"]["curve"]
        some = curve[:: max(len(curve) // 10, 1)]
        console.print("resident MB by events: " + ", ".join(f"{events:,}: {size:,.0f}" for events, size in some))
    for bar in results["bars"]:
        reached = {True: "[green]met", False: "[red]missed", None: ""}
        limits = f"must ≤ {bar['must']:g} {reached[bar['met']]}[/]"
        if bar["stretch"] is not None:
            limits += f", stretch ≤ {bar['stretch']:g} {reached[bar['stretch_met']]}[/]"
        console.print(f"{bar['what']}: {bar['measured']:,.4g}; {limits}")


def _of(rounds: list[dict[str, float]], parts: list[str], what: Any) -> dict[str, float]:
    return {part: round(what(one[part] for one in rounds), 2) for part in parts}


def _ratios(rounds: list[dict[str, float]]) -> dict[str, float]:
    ratios = {
        "learn : control's step": [one["learn"] / one["control: step"] for one in rounds],
        "refresh : control's list": [one["refresh"] / one["control: list"] for one in rounds],
        "learn + refresh : both": [
            one["learn + refresh"] / (one["control: step"] + one["control: list"]) for one in rounds
        ],
    }
    return {name: round(median(values), 3) for name, values in ratios.items()}
