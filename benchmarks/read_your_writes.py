"""Read your writes: a click is posted, then the list is read with its token; does it show the click, and how soon?

    python -m benchmarks.read_your_writes [--json OUT]

A user's list is read, its first item is clicked on by HTTP, and the list is read again with the token. It shows the
click when the item has left it and it is another version, made later. Service, worker, broker and store are real ones,
on this machine; requests go one after the other over one connection. Beside it, before and after, the control of
freshness: produce, consume and set a value, without HTTP and without a recommender.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import click
import numpy as np
import orjson

from benchmarks.parts.control import Control
from benchmarks.parts.machine import load, machine, versions
from benchmarks.parts.options import movielens_option
from benchmarks.parts.place import Place, temporary_place
from benchmarks.parts.service import Service, running_service
from benchmarks.parts.stream import Stream
from benchmarks.parts.worker import running_worker
from evaluation.datasets import DatasetError
from infra.errors import HeadraceError

_CONTROL_EVENTS, _CONTROL_RATE = 3000, 300
_WAIT_MS = 10_000


@click.command(help=__doc__.split("\n")[0])
@click.option("--json", "out", type=click.Path(dir_okay=False, path_type=Path), help="Write all figures to a file.")
@click.option("--rounds", type=click.IntRange(min=1), default=1000, show_default=True)
@click.option("--users", type=click.IntRange(min=1), default=100, show_default=True, help="Who click in turn.")
@click.option("--warm-up", type=click.IntRange(min=0), default=50_000, show_default=True, help="Events learned before.")
@movielens_option
def main(out: Path | None, rounds: int, users: int, warm_up: int, movielens: Path) -> None:
    try:
        with temporary_place() as place:
            figures = _measure(place, Stream(movielens), rounds, users, warm_up)
    except DatasetError as error:
        raise click.ClickException(f"{error}; name MovieLens 1M's folder with --movielens") from error
    except HeadraceError as error:
        raise click.ClickException(str(error)) from error
    for name in ("control", "total_ms", "post_ms", "read_ms", "rounds", "effects_seen", "fresh"):
        click.echo(f"{name:14} {figures[name]}")
    if out:
        out.write_bytes(orjson.dumps(figures, option=orjson.OPT_INDENT_2))
    if figures["effects_seen"] < rounds:
        raise SystemExit(1)


def _measure(place: Place, stream: Stream, rounds: int, users: int, warm_up: int) -> dict[str, Any]:
    control = Control("freshness")
    place.publish(stream.items)
    place.publish(stream.clicks(0, warm_up))
    with running_worker(place.settings) as worker, running_service(place) as service:
        worker.wait_until_done(warm_up)
        controls = [control.freshness(place, _CONTROL_EVENTS, _CONTROL_RATE)]
        people = [f"reader{number}" for number in range(users)]
        for person in people:
            _read(service, person, _post(service, person, stream.items[0].item))
        posts, reads, seen, fresh = [], [], 0, 0
        for number in range(rounds):
            post_ms, read_ms, effect, in_time = _round(service, people[number % users])
            posts.append(post_ms)
            reads.append(read_ms)
            seen += effect
            fresh += in_time
        controls.append(control.freshness(place, _CONTROL_EVENTS, _CONTROL_RATE))
    total = np.array(posts) + np.array(reads)
    return {
        "machine": machine(),
        "versions": versions(place.url),
        "load": load(),
        "rounds": rounds,
        "effects_seen": seen,
        "fresh": fresh,
        "total_ms": _percentiles(total),
        "post_ms": _percentiles(np.array(posts)),
        "read_ms": _percentiles(np.array(reads)),
        "control": controls,
        "control_source": control.source,
    }


def _round(service: Service, person: str) -> tuple[float, float, bool, bool]:
    """Return how long posting and reading took in ms, whether the click has its effect, and whether it was in time."""
    before, _ = service.ask("GET", f"/recommend/{person}?n=100")
    item = before["items"][0]["item"]
    began = time.perf_counter()
    token = _post(service, person, item)
    posted = time.perf_counter()
    after, headers = _read(service, person, token)
    read = time.perf_counter()
    left = item not in {each["item"] for each in after["items"]}
    newer = after["version"] != before["version"] and after["time"] >= before["time"]
    in_time = headers["headrace-fresh"] == "true"
    return (posted - began) * 1000, (read - posted) * 1000, left and newer, in_time


def _post(service: Service, person: str, item: str) -> str:
    answer, _ = service.ask("POST", "/events", {"user": person, "item": item})
    return str(answer["token"])


def _read(service: Service, person: str, token: str) -> tuple[dict[str, Any], dict[str, str]]:
    return service.ask("GET", f"/recommend/{person}?n=100&after={token}&wait={_WAIT_MS}")


def _percentiles(values: np.ndarray[Any, Any]) -> dict[str, float]:
    return {f"p{q}": round(float(np.percentile(values, q)), 2) for q in (50, 90, 99, 100)}


if __name__ == "__main__":
    main()
