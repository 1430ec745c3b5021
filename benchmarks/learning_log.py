"""The learning log alone: the trip of a record, what an event costs on it, and how fast a log is read back.

    python -m benchmarks.learning_log [--json OUT]

The worker's own classes on a broker in a temporary directory. Records hold events of MovieLens 1M, either in the order
in which they happened, where one user's events follow one another, or with all users taking turns, which compresses
worst: then no two neighbours share anything of their histories.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console
from rich.table import Table

from benchmarks.parts.log_catch_up import catch_up
from benchmarks.parts.log_cost import costs
from benchmarks.parts.log_size import sizes
from benchmarks.parts.log_trip import trips
from benchmarks.parts.machine import load, machine, versions
from benchmarks.parts.options import movielens_option
from benchmarks.parts.place import temporary_place
from benchmarks.parts.stream import Stream
from contracts.events import Click, Rating
from evaluation.datasets import open_dataset
from models.warmup import warm_up

_TITLES = {
    "cost": "µs of a core per event, by events per record",
    "size": "bytes per event",
    "trip": "from append to folded",
    "catch_up": "reading a log back",
}


@click.command(help=__doc__.split("\n")[0])
@click.option("--json", "out", type=click.Path(dir_okay=False, path_type=Path), help="Write all figures to a file.")
@click.option("--events", type=int, default=1_000_000, show_default=True, help="Of the log that is read back.")
@click.option("--seconds", type=int, default=20, show_default=True, help="Of the trip at 1,000 events/s.")
@movielens_option
def main(out: Path | None, events: int, seconds: int, movielens: Path) -> None:
    stream = Stream(movielens)
    warm_up()
    with temporary_place() as place:
        results = {
            "machine": machine(),
            "versions": versions(place.url),
            "cost": costs(place, stream),
            "size": sizes(
                place,
                {
                    "as it happened": lambda first, n: _as_it_happened(movielens, first, n),
                    "users taking turns": stream.clicks,
                },
            ),
            "trip": trips(place, stream, seconds),
            "catch_up": {"all": catch_up(place, _as_it_happened(movielens, 0, events))},
            "load": load(),
        }
    _print(results)
    if out:
        out.write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2))


def _as_it_happened(movielens: Path, first: int, n: int) -> Iterator[Click]:
    ratings = (row for row in open_dataset(movielens).events() if isinstance(row, Rating))
    for rating in islice(ratings, first, first + n):
        yield Click(user=rating.user, item=rating.item, time=rating.time)


def _print(results: dict[str, Any]) -> None:
    console = Console()
    for name, title in _TITLES.items():
        rows = results[name]
        table = Table("", *next(iter(rows.values())), title=title, box=None, header_style="dim")
        for label, values in rows.items():
            table.add_row(label, *(f"{value:,}" for value in values.values()))
        console.print(table)
    console.print(f"load {results['load']} on {results['machine']['cores']} cores", style="dim")


if __name__ == "__main__":
    main()
