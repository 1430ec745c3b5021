"""Replay beside its control: how fast a history is learned again, how well, and whether twice the same.

    python -m benchmarks.replay [--json OUT] [--events N] [--runs N] [--every N]

MovieLens 1M goes as clicks through a broker of its own. Control and replay are interleaved; the medians count. The
control consumes, decodes and sets a constant value per event. A replay makes every user's list at the end; its rate is
given for reading and learning alone, and with the lists. Then the offline evaluator ranks the same events of the same
stream, in the order in which the replay merged it, and two replays are compared byte by byte.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any

import click
import orjson

from benchmarks.parts.control import Control
from benchmarks.parts.machine import load, machine, versions
from benchmarks.parts.options import movielens_option
from benchmarks.parts.place import ROOT, Place, environment, temporary_place
from benchmarks.parts.replays import differences, write_stream
from contracts.events import Click, Item, Rating
from evaluation.datasets import DatasetError, open_dataset
from infra.errors import HeadraceError

MUST, STRETCH = 0.5, 0.9
"""Of the control's rate."""
ALIKE = 0.001
"""So far may the hit rate be from the evaluator's."""
_TIMEOUT_S = 3600.0


@click.command(help=__doc__.split("\n")[0])
@click.option("--json", "out", type=click.Path(dir_okay=False, path_type=Path), help="Write all figures to a file.")
@click.option("--events", type=click.IntRange(min=10_000), default=1_000_209, show_default=True)
@click.option("--runs", type=click.IntRange(min=2), default=3, show_default=True)
@click.option("--every", type=click.IntRange(min=1), default=500, show_default=True, help="Rank every n-th event.")
@movielens_option
def main(out: Path | None, events: int, runs: int, every: int, movielens: Path) -> None:
    try:
        with temporary_place() as place:
            results = _measure(place, movielens, events, runs, every)
    except (DatasetError, HeadraceError) as error:
        raise click.ClickException(str(error)) from error
    for line in _told(results):
        click.echo(line)
    if out:
        out.write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2))


def _measure(place: Place, movielens: Path, events: int, runs: int, every: int) -> dict[str, Any]:
    began = time.monotonic()
    place.publish(_history(movielens, events))
    control, done = Control("limit"), []
    for number in range(runs):
        each = {
            "control": control.limit(place, events) | {"load": load()},
            "replay": _replay(place, f"r{number}", every) | {"load": load()},
        }
        done.append(each)
        rates = {name: f"{figures['events_per_second']:,.0f}" for name, figures in each.items()}
        click.secho(f"{time.monotonic() - began:5.0f} s  round {number + 1} of {runs}: {rates}", dim=True, err=True)
    offline = _evaluate(place, movielens, every)
    last = done[-1]["replay"]
    medians = {
        "control": median(each["control"]["events_per_second"] for each in done),
        "replay": median(each["replay"]["events_per_second"] for each in done),
        "replay_with_lists": median(each["replay"]["events_per_second_with_lists"] for each in done),
    }
    return {
        "machine": machine(),
        "versions": versions(place.url),
        "settings": {"events": events, "runs": runs, "every": every},
        "control": control.source,
        "runs": done,
        "medians": medians,
        "of_control": {name: round(rate / medians["control"], 3) for name, rate in medians.items()},
        "of_control_by_round": [
            round(each["replay"]["events_per_second"] / each["control"]["events_per_second"], 3) for each in done
        ],
        "hit_rate": {"replay": last["hit_rate_at_10"], "scored": last["scored"], **offline},
        "different": differences(place.settings, "r0", "r1"),
        "seconds": round(time.monotonic() - began),
    }


def _history(movielens: Path, events: int) -> Iterator[Click | Item]:
    dataset = open_dataset(movielens)
    yield from dataset.items()
    last: dict[str, int] = {}
    clicks = []
    for row in islice((row for row in dataset.events() if isinstance(row, Rating)), events):
        # No two events of a user at the same time, as the evaluator reads them …
        last[row.user] = max(row.time or 0, last.get(row.user, -1) + 1)
        clicks.append(Click(row.user, row.item, last[row.user]))
    # … and published in the order of these times: where a partition's times go back a replay keeps the order of the
    # partition and an evaluator that of the times, so the two would see different streams.
    clicks.sort(key=lambda event: event.time or 0)
    yield from clicks


def _replay(place: Place, namespace: str, every: int) -> dict[str, Any]:
    file = place.settings.home_dir / "replay.json"
    _run(
        "replay", "--namespace", namespace, "--score-every", every, "--json", file, "--home", place.settings.home
    )  # fmt: skip
    figures: dict[str, Any] = orjson.loads(file.read_bytes())
    seconds = figures["folding_s"] + figures["listing_s"]
    return figures | {"events_per_second_with_lists": round(figures["read"] / seconds, 1)}


def _evaluate(place: Place, movielens: Path, every: int) -> dict[str, Any]:
    """Return the evaluator's hit rate on the events that the replay ranked."""
    stream = place.settings.home_dir / "stream.jsonl"
    write_stream(place.settings, movielens, stream)
    file = place.settings.home_dir / "evaluation.json"
    _run("evaluate", "--events", stream, "--model", "blend", "--every", every, "--warmup", 0, "--json", file)
    (row,) = orjson.loads(file.read_bytes())["rows"]
    return {"evaluator": row["hr@10"], "evaluator_scored": row["scored"]}


def _run(*arguments: object) -> None:
    command = [sys.executable, "-m", "commands", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment(), cwd=ROOT, timeout=_TIMEOUT_S)
    if done.returncode:
        raise HeadraceError(f"{' '.join(command[2:4])} ended with status {done.returncode}: {done.stderr[-2000:]}")


def _told(results: dict[str, Any]) -> Iterator[str]:
    medians, shares, quality = results["medians"], results["of_control"], results["hit_rate"]
    yield f"control              {medians['control']:>10,.0f} events/s"
    for name, what in (("replay", "replay, reading, learning"), ("replay_with_lists", "replay, with lists")):
        share = shares[name]
        mark = "stretch" if share >= STRETCH else "met" if share >= MUST else "missed"
        yield f"{what:<20} {medians[name]:>10,.0f} events/s, {share:.2f} of the control (must {MUST}): {mark}"
    apart = quality["replay"] - quality["evaluator"]
    alike = "alike" if abs(apart) <= ALIKE else "different"
    yield f"hit rate at 10       {quality['replay']:.4f} of {quality['scored']:,}"
    yield f"of the evaluator     {quality['evaluator']:.4f} of {quality['evaluator_scored']:,}: {alike} ({apart:+.5f})"
    yield f"two replays          {len(results['different'])} differences"


if __name__ == "__main__":
    main()
