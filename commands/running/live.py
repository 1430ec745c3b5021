"""What ``headrace run`` shows while it runs: the steps of the start, then a table that moves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Self

from rich.console import Console
from rich.live import Live
from rich.table import Table

_LINE_S = 3.0  # between two lines where there is no terminal
_SPEED_S = 2.0  # of the worker's reports over which speeds are taken


@dataclass(frozen=True)
class Moment:
    """How things stand.

    Parameters
    ----------
    source : str
        What is being published.
    rows, size : int, int or None
        Rows of the source that are done, and how many it has.
    speed : float
        Events published per second.
    left_s : float or None
        Seconds until the publishing ends; None when that cannot be known.
    report : dict
        The worker's, see ``streams.watching.status``.
    """

    source: str
    rows: int
    size: int | None
    speed: float
    left_s: float | None
    report: dict[str, Any]


@contextmanager
def step(console: Console, what: str, hint: str = "") -> Iterator[list[str]]:
    """Say what is being started, then how long it took, with the words that the block puts into the list."""
    began = time.monotonic()
    words: list[str] = []
    with console.status(f"{what} … {hint}"):
        yield words
    console.print(f"{what:<16} {time.monotonic() - began:5.1f} s  {'; '.join(words)}".rstrip())


class LiveView:
    """A table on a terminal, a line every few seconds elsewhere.

    Parameters
    ----------
    console : Console
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._live = Live(console=console, auto_refresh=False, transient=True)
        self._next_line = time.monotonic() + _LINE_S
        self._reports: list[dict[str, Any]] = []

    def __enter__(self) -> Self:
        if self._console.is_terminal:
            self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.stop()

    def show(self, moment: Moment) -> None:
        """Show how things stand."""
        rows = self._rows(moment)
        if self._console.is_terminal:
            table = Table(box=None, show_header=False, pad_edge=False)
            for name, values in rows.items():
                table.add_row(name, *values)
            self._live.update(table, refresh=True)
        elif time.monotonic() >= self._next_line:
            self._next_line += _LINE_S
            self._console.print("; ".join(f"{name} {', '.join(values)}" for name, values in rows.items()))

    def _rows(self, moment: Moment) -> dict[str, list[str]]:
        report = moment.report
        of = f" of {moment.size:,}" if moment.size else ""
        left = "" if moment.left_s is None else f", {max(moment.left_s, 0):.0f} s left"
        events, lists = self._speeds(report)
        return {
            moment.source: [f"{moment.rows:,}{of} published", f"{moment.speed:,.0f}/s{left}"],
            "applied": [f"{report['events_applied']:,} events", f"{events:,.0f} events/s and {lists:,.0f} lists/s"],
            "waiting": [f"{report['lag']:,} events", f"{report['dead_letters']:,} dead letters"],
            "freshness": [f"p50 {duration(report['freshness_ms_p50'])}", f"p99 {duration(report['freshness_ms_p99'])}"],
            "hit rate @10": [
                f"{report['hit_rate_at_10']:.3f}",
                f"popularity {report['popularity_hit_rate_at_10']:.3f}",
            ],
        }

    def _speeds(self, report: dict[str, Any]) -> tuple[float, float]:
        """Return events and lists per second over the last reports."""
        if self._reports and report["started"] != self._reports[-1]["started"]:
            self._reports.clear()  # another process, which counts from 0
        if not self._reports or report["time"] > self._reports[-1]["time"]:
            self._reports.append(report)
        while len(self._reports) > 2 and self._reports[1]["time"] < report["time"] - _SPEED_S * 1000:
            self._reports.pop(0)
        first = self._reports[0]
        seconds = (report["time"] - first["time"]) / 1000 or 1.0
        events, lists = ((report[key] - first[key]) / seconds for key in ("events_applied", "lists_written"))
        return events, lists


def duration(milliseconds: float | None) -> str:
    """Return e.g. ``12 ms`` or ``1.4 s``; a dash for None."""
    if milliseconds is None:
        return "–"
    return f"{milliseconds:.0f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.1f} s"
