"""The figures of an evaluation on the terminal."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_WIDTH = 120  # where there is no terminal
_RATED = ("rmse", "mae", "accuracy", "precision", "recall", "f1", "auc", "us_per_event")

_CLICKED = ("auc", "log_loss", "predicted_rate", "rate", "us_per_event")


def show(result: dict[str, Any]) -> None:
    """Print what was evaluated, a table of the models, and how the first one differs from the others."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console.width = _WIDTH
    stream, settings, rows = result["stream"], result["settings"], result["rows"]
    _print(
        console,
        f"{stream['name']}: {stream['events']:,} events of {stream['users']:,} users and {stream['items']:,} items, "
        f"{stream['first']} to {stream['last']}",
    )
    _tell(console, "left out", stream["left_out"])
    k = settings["k"]
    ranking = (f"hr@{k}", f"ndcg@{k}", "mrr", f"coverage@{k}", f"gini@{k}", "us_per_event", "us_per_ranking")
    for group, ranked in _groups([row for row in rows if f"hr@{k}" in row]).items():
        console.print(_table(ranked, ranking))
        _print(console, f"{settings['protocol']}{group}: {ranked[0]['scored']:,} ranked")
        passed_over = {name: ranked[0][name] for name in _REASONS if name in ranked[0]}
        _tell(console, "not ranked", passed_over)
        _differences(console, [each for each in result["comparisons"] if _group(each) == group], f"hr@{k}")
    if rated := [row for row in rows if "rmse" in row]:
        console.print(_table(rated, _RATED))
        _print(
            console, f"{rated[0]['scored']:,} ratings predicted{' in each fold' * (settings['protocol'] == 'kfold')}"
        )
    if clicked := [row for row in rows if "log_loss" in row]:
        console.print(_table(clicked, _CLICKED))
        _print(console, f"clicks: {clicked[0]['scored']:,} shown, {clicked[0]['clicks']:,} clicked")
    speed = sum(row["events"] for row in rows[:1]) * len(settings["seeds"]) / result["seconds"]
    _print(console, f"{result['seconds']:.1f} s, {speed:,.0f} events/s; hash {stream['hash']}")


_REASONS = ("first_of_user", "first_of_item", "had_before", "no_wish")


def _groups(rows: Sequence[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Return the rows of each plan: each cut has its own, and so has the model that goes on learning after it."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault(_group(row), []).append(row)
    return groups


def _group(row: dict[str, Any]) -> str:
    return f" at {row['cut']:g}, {'live' if row['live'] else 'frozen'}" if "cut" in row else ""


def _table(rows: Sequence[dict[str, Any]], columns: Sequence[str]) -> Table:
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    shown.add_column("model")
    used = [column for column in columns if any(row.get(column) is not None for row in rows)]
    for column in used:
        shown.add_column(column.replace("us_per_", "µs/"), justify="right")
    for row in rows:
        shown.add_row(row["model"], *(_figure(row, column) for column in used))
    return shown


def _figure(row: dict[str, Any], column: str) -> str:
    value = row.get(column)
    if value is None:
        return "–"
    if column.startswith("us_"):
        return f"{value:,.0f}"
    bounds = row.get(f"{column}_interval")
    return f"{value:.4f}" + (f" ±{(bounds[1] - bounds[0]) / 2:.4f}" if bounds else "")


def _differences(console: Console, comparisons: Sequence[dict[str, Any]], metric: str) -> None:
    for each in comparisons:
        if each["metric"] == metric and not (each["difference"] and not each["relative"]):  # else divided by nothing
            low, high = each["relative_interval"]
            words = f"{each['model']} against {each['against']}: {metric} {each['relative']:+.1%}"
            _print(console, f"{words}, between {low:+.1%} and {high:+.1%}")


def _tell(console: Console, what: str, counts: dict[str, int]) -> None:
    if counts:
        _print(console, f"{what}: " + ", ".join(f"{name.replace('_', ' ')} {n:,}" for name, n in counts.items()))


def _print(console: Console, text: str) -> None:
    console.print(Text("".join(char if char.isprintable() else "�" for char in text)), soft_wrap=True)
