"""Workers, users, items, restarts: what each takes, from which docs/capacity.md says how to size a deployment.

    python -m benchmarks.scale [--only workers --only users …] [--json OUT]

Workers: 1, 2 and 4 on the same backlog; CPU per event split into own users and learning, bytes of the learning log.
Users: bytes in Redis (state, list, vector) and in a worker. Items: checkpoint, bytes in a worker, a core's time per
event and list. Start: a killed worker's restart by part. Figures that OUT holds of other parts are kept.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import orjson

from benchmarks.engine import ONE_CORE, Sizes
from benchmarks.parts import scale_fleet, scale_start
from benchmarks.parts.machine import libraries, load, machine
from benchmarks.parts.place import figures_of, temporary_place
from infra.errors import HeadraceError

PARTS = ("workers", "users", "items", "start")
_TIMEOUT_S = 3600.0
_MANY_EVENTS, _FEW_USERS = 100, 20_000
_SMALL, _LARGE = 2000, 100_000  # items of the models that are restarted
_STATE_BYTES, _ITEM_BYTES, _START_S, _SMALL_START_S = 5000, 5000, 10.0, 2.0


@click.command(help=__doc__.split("\n")[0])
@click.option("--only", type=click.Choice(PARTS), multiple=True, help="These parts alone.")
@click.option("--json", "out", type=click.Path(dir_okay=False, path_type=Path), help="Write all figures to a file.")
@click.option("--events", default=100_000, show_default=True, help="Backlog of the workers.")
@click.option("--users", default=1_000_000, show_default=True, help="With five events each.")
@click.option("--sizes", type=Sizes(), default="100k", show_default=True, help="Catalogues, e.g. 100k,1m.")
@click.option("--warm-up", default=300_000, show_default=True, help="Events learned beside one of each item.")
@click.option("--restarts", type=click.IntRange(min=1), default=3, show_default=True)
def main(
    only: tuple[str, ...],
    out: Path | None,
    events: int,
    users: int,
    sizes: dict[str, int],
    warm_up: int,
    restarts: int,
) -> None:
    figures: dict[str, Any] = orjson.loads(out.read_bytes()) if out and out.exists() else {}
    measures: dict[str, Callable[[], Any]] = {
        "workers": lambda: _fleet(events),
        "users": lambda: [_run("scale_store", *each, _LARGE) for each in ((users, 5), (_FEW_USERS, _MANY_EVENTS))],
        "items": lambda: {name: _run("scale_model", size, warm_up) for name, size in sizes.items()},
        "start": lambda: _starts(restarts, warm_up),
    }
    try:
        for part in only or PARTS:
            measured = {"machine": machine(), "versions": libraries(), "figures": measures[part](), "load": load()}
            if part == "items" and part in figures:
                measured["figures"] = figures[part]["figures"] | measured["figures"]
            figures[part] = measured
            if out:
                out.write_bytes(orjson.dumps(figures, option=orjson.OPT_INDENT_2))
            click.echo(orjson.dumps(measured["figures"], option=orjson.OPT_INDENT_2).decode())
    except HeadraceError as error:
        raise click.ClickException(str(error)) from error
    for bar in bars(figures):
        click.echo(f"{'met' if bar['met'] else 'MISSED':6}  {bar['what']}: {bar['measured']} ≤ {bar['must']:g}")


def bars(figures: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the bars of the parts that were measured."""
    found: list[tuple[str, float, float]] = []
    for each in figures["users"]["figures"] if "users" in figures else ():
        what = f"state of a user with {each['events_of_each']} events, bytes in Redis"
        found.append((what, each["redis"]["state"], _STATE_BYTES))
    for name, each in figures["items"]["figures"].items() if "items" in figures else ():
        if "checkpoint" in each:
            size = each["checkpoint"]["worker_bytes_per_item"]
            found.append((f"an item of {name} in a worker, bytes", size, _ITEM_BYTES))
    for each in figures["start"]["figures"] if "start" in figures else ():
        must = _START_S if each["items"] >= _LARGE else _SMALL_START_S
        for how, start in each["starts"].items():
            what = f"restart with {each['items']:,} items, {how}, s"
            found += [(what, start["median_s"], must), (f"{what} of a core", start["median_cpu_s"], must)]
    return [
        {"what": what, "measured": measured, "must": must, "met": measured <= must} for what, measured, must in found
    ]


def _fleet(events: int) -> dict[str, Any]:
    with temporary_place() as place:
        return scale_fleet.measure(place.settings, events)


def _starts(restarts: int, warm_up: int) -> list[dict[str, Any]]:
    with temporary_place() as place:
        return [scale_start.measure(place.settings, items, warm_up // 10, restarts) for items in (_SMALL, _LARGE)]


def _run(part: str, *arguments: int) -> dict[str, Any]:
    click.secho(" ".join(map(str, (part, *arguments))), dim=True, err=True)
    return figures_of("-m", f"benchmarks.parts.{part}", *arguments, timeout=_TIMEOUT_S, **ONE_CORE)


if __name__ == "__main__":
    main()
