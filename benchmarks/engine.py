"""The engine alone: µs of a core per event by part and size of the catalogue, beside plain NumPy; start; memory.

    python -m benchmarks.engine [--json OUT] [--sizes 3.7k,10k,50k,100k] [--memory [--memory-events 10000000]]

Synthetic streams of Zipf's popularity; every event asks for a list of 100 with 20 reasons, 64 lists at a time. Each
catalogue has a process of its own on one core; in each of its rounds all parts and the control take turns, and time is
that of the core, without what others do meanwhile. The control is the core of the work in plain NumPy: a matrix product
and the 100 largest for 64 users, and one event's gradient step; it scores with one scorer, excludes nothing, gives no
reasons and keeps no states.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click
import orjson

from benchmarks.parts.engine_report import bars, print_tables, summarise
from benchmarks.parts.machine import libraries, load, machine
from benchmarks.parts.place import figures_of
from infra.errors import HeadraceError

ONE_CORE = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
_TIMEOUT_S = 3600.0
_STARTS = 3
_THOUSANDS = {"": 1, "k": 1000, "m": 1_000_000}
_LIKE_MOVIELENS = {"3.7k": 3706}  # MovieLens 1M's catalogue


class Sizes(click.ParamType):
    """Catalogue sizes with their names."""

    name = "sizes"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> dict[str, int]:
        if isinstance(value, dict):
            return value
        found = {}
        for size in value.split(","):
            match = re.fullmatch(r"(\d+(?:\.\d+)?)([km]?)", size.strip())
            if not match or float(match[1]) * _THOUSANDS[match[2]] < 200:
                self.fail(f"{size!r} is no size of a catalogue: write 3.7k, 10k, 100000; 200 at least", param, ctx)
            found[size.strip()] = _LIKE_MOVIELENS.get(size.strip(), round(float(match[1]) * _THOUSANDS[match[2]]))
        return found


@click.command(help=__doc__.split("\n")[0])
@click.option("--json", "out", type=click.Path(dir_okay=False, path_type=Path), help="Write all figures to a file.")
@click.option("--sizes", type=Sizes(), default="3.7k,10k,50k,100k", show_default=True, help="Items of the catalogues.")
@click.option("--warm-up", type=int, default=300_000, show_default=True, help="Events learned before.")
@click.option("--rounds", type=click.IntRange(min=1), default=15, show_default=True)
@click.option("--memory", is_flag=True, help="Follow the memory along a long stream, too.")
@click.option("--memory-events", type=click.IntRange(min=60_000), default=1_000_000, show_default=True)
def main(out: Path | None, sizes: dict[str, int], warm_up: int, rounds: int, memory: bool, memory_events: int) -> None:
    try:
        results = _measure(sizes, warm_up, rounds, memory_events if memory else None)
    except HeadraceError as error:
        raise click.ClickException(str(error)) from error
    print_tables(results)
    if out:
        out.write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2))


def _measure(sizes: dict[str, int], warm_up: int, rounds: int, memory_events: int | None) -> dict[str, Any]:
    results: dict[str, Any] = {
        "machine": machine(),
        "versions": libraries(),
        "settings": {"sizes": sizes, "warm_up": warm_up, "rounds": rounds, "memory_events": memory_events},
    }
    _run("engine_start")  # compiles what is not compiled yet
    results["start"] = [_run("engine_start") for _ in range(_STARTS)]
    results["rounds"] = {name: _run("engine_speed", items, warm_up, rounds)["rounds"] for name, items in sizes.items()}
    if memory_events:
        results["memory"] = _run("engine_memory", memory_events)
    results |= summarise(results["rounds"]) | {"load": load()}
    results["bars"] = [bar.plain() for bar in bars(results)]
    return results


def _run(part: str, *arguments: int) -> dict[str, Any]:
    click.secho(" ".join(map(str, (part, *arguments))), dim=True, err=True)
    return figures_of("-m", f"benchmarks.parts.{part}", *arguments, timeout=_TIMEOUT_S, **ONE_CORE)


if __name__ == "__main__":
    main()
