"""The event path beside its controls: how many events a second keep their lists fresh, and how fresh they are.

    python -m benchmarks.event_path [--json OUT] [--only worker|consume|freshness]

Everything runs on a broker and a store of its own in a temporary directory, with default settings. What is compared is
interleaved, run by run, and of all runs the median counts:

- worker: a real ``headrace worker`` catches up with events of MovieLens 1M in which no batch holds a user twice, and
  every batch makes its own lists, so every event refreshes one; once with clicks, once with ratings. Its control
  consumes, decodes and sets a constant value. Lists that nobody's event asks for are not made meanwhile: they would be
  counted as if they were. Beside it clicks as a worker that is behind takes them by default: batches share their lists.
- consume: an agent behind our consumer decodes and groups by user; its control is Faust as it comes.
- freshness: events arrive at a steady rate; the time from produced to list written, beside a control that only
  consumes and sets.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click
import msgspec
import orjson

from benchmarks.parts.machine import load, machine, versions
from benchmarks.parts.measures import Measures, Sizes
from benchmarks.parts.options import movielens_option
from benchmarks.parts.place import temporary_place
from benchmarks.parts.report import Runs, print_tables, summarise
from benchmarks.parts.stream import Stream
from evaluation.datasets import DatasetError
from infra.errors import HeadraceError
from infra.settings import Settings

PARTS = ("worker", "consume", "freshness")


@click.command(help=__doc__.split("\n")[0])
@click.option("--json", "out", type=click.Path(dir_okay=False, path_type=Path), help="Write all figures to a file.")
@click.option("--events", type=click.IntRange(min=1000), default=100_000, show_default=True, help="Of a timed run.")
@click.option("--runs", type=click.IntRange(min=1), default=5, show_default=True)
@click.option("--only", type=click.Choice(PARTS), multiple=True, help="Measure this part alone; may be repeated.")
@click.option("--warm-up", type=int, default=200_000, show_default=True, help="Events learned before.")
@click.option("--rate", type=int, default=1000, show_default=True, help="Events per second, for freshness.")
@click.option("--seconds", type=int, default=20, show_default=True, help="How long that rate is kept.")
@movielens_option
def main(
    out: Path | None,
    events: int,
    runs: int,
    only: tuple[str, ...],
    warm_up: int,
    rate: int,
    seconds: int,
    movielens: Path,
) -> None:
    sizes = Sizes(events, max(warm_up, events), rate, seconds)
    try:
        results = _measure(sizes, runs, only or PARTS, movielens)
    except DatasetError as error:
        raise click.ClickException(f"{error}; name MovieLens 1M's folder with --movielens") from error
    except HeadraceError as error:
        raise click.ClickException(str(error)) from error
    print_tables(results)
    if out:
        out.write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2))


def _measure(sizes: Sizes, rounds: int, parts: tuple[str, ...], movielens: Path) -> dict[str, Any]:
    began = time.monotonic()
    stream = Stream(movielens)
    with temporary_place() as place:
        measures = Measures(place, stream, sizes)
        _say(began, f"warm-up: {sizes.warm_up:,} events")
        measures.prepare(parts)
        plan = {name: run for part in parts for name, run in measures.of(part).items()}
        runs: Runs = {name: [] for name in plan}
        for number in range(rounds):
            for name, run in plan.items():
                _once(began, f"round {number + 1} of {rounds}", name, run, runs)
        if "freshness" in parts:  # a control before and after every run
            _once(began, "at the end", "freshness_control", plan["freshness_control"], runs)
        return {
            "machine": machine(),
            "versions": versions(place.url),
            "settings": msgspec.to_builtins(sizes) | {"rounds": rounds} | _defaults(),
            "controls": measures.sources,
            "seconds": round(time.monotonic() - began),
            "runs": runs,
            **summarise(runs),
        }


def _once(began: float, when: str, name: str, run: Any, runs: Runs) -> None:
    figures = run() | {"load": load()}
    runs[name].append(figures)
    _say(began, f"{when}: {name} " + ", ".join(f"{key} {value:,}" for key, value in figures.items()))


def _say(began: float, what: str) -> None:
    click.secho(f"{time.monotonic() - began:5.0f} s  {what}", dim=True, err=True)


def _defaults() -> dict[str, Any]:
    settings = Settings()
    return {
        "partitions": settings.kafka.partitions,
        "worker": msgspec.to_builtins(settings.worker),
        "model": msgspec.to_builtins(settings.model),
    }


if __name__ == "__main__":
    main()
