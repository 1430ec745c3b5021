"""``headrace run``: everything on this machine, from the broker to the lists, and a live page of it."""

from __future__ import annotations

import json
import math
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from infra.settings import load_settings

if TYPE_CHECKING:
    from rich.console import Console

    from commands.running.deployment import Deployment
    from commands.running.outcome import Outcome
    from evaluation.datasets import Dataset


@click.command()
@click.option("--data", metavar="FOLDER|FILE", help="Data set to publish; without one, visitors are simulated.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Events per second; by default no limit.")
@click.option("--duration", type=click.FloatRange(min=0), help="Seconds; 0 = until Ctrl-C.")
@click.option("--limit", type=click.IntRange(min=1), help="Publish at most so many events; the next run goes on there.")
@click.option("--fresh", is_flag=True, help="Clear what earlier runs have left in the data directory first.")
@click.option(
    "--stay/--leave", default=None, help="Keep everything up at the end, until Ctrl-C; by default on a terminal only."
)
@click.option("--json", "out", type=click.Path(dir_okay=False), metavar="OUT", help="Write the numbers to this file.")
@click.option("--config", type=click.Path(), help="Settings file (TOML).")
@click.option("--home", metavar="DIR", help="Data directory of the local services; .headrace by default.")
def command(
    data: str | None,
    rate: float | None,
    duration: float | None,
    limit: int | None,
    fresh: bool,
    stay: bool | None,
    out: str | None,
    config: str | None,
    home: str | None,
) -> None:
    """Start broker, store, worker and HTTP service, publish a data set or simulated visits, and watch the lists learn.

    The live page shows how it does, and what a click changes. A simulation goes on until Ctrl-C on a terminal, else for
    60 seconds. The data directory keeps everything, so that the next run goes on where this one ends.

    \b
    Examples:
      headrace run
      headrace run --data ml-100k
      headrace run --data events.jsonl --rate 500
    """
    from rich.console import Console

    from commands.running.deployment import Deployment
    from commands.running.interrupts import interrupts, status_of
    from commands.running.outcome import suggest, versions
    from evaluation.datasets import DatasetError, open_dataset
    from infra.errors import HeadraceError

    began = time.monotonic()
    try:
        dataset = open_dataset(data) if data else None
    except DatasetError as error:
        raise HeadraceError(str(error)) from error
    settings = load_settings(config, home=home)
    options = [*_option("--config", config), *_option("--home", home)]
    console = Console(highlight=False, soft_wrap=True, markup=False, emoji=False)
    stay = console.is_terminal if stay is None else stay
    try:
        with interrupts(), Deployment(settings, options, fresh, console) as deployment:
            outcome, interrupt = _play(deployment, console, dataset, rate, duration, limit, began, stay)
            outcome.tell(console)
            if outcome.users:
                suggest(console, deployment.settings, options, outcome.users[0])
            if out:
                _write(Path(out), outcome.numbers() | {"versions": versions(settings, deployment.settings)})
            if interrupt:
                raise interrupt
            if stay:
                console.print(f"The live page stays up at {deployment.page}; Ctrl-C ends everything.", style="bold")
                deployment.stay()
    except KeyboardInterrupt as interrupt:
        sys.exit(status_of(interrupt))


def _play(
    deployment: Deployment,
    console: Console,
    dataset: Dataset | None,
    rate: float | None,
    duration: float | None,
    limit: int | None,
    began: float,
    stay: bool,
) -> tuple[Outcome, KeyboardInterrupt | None]:
    """Publish and look on; return what it came to, and the wish that ended it early, if one did."""
    from commands.reading import ask
    from commands.running.background import Publishing
    from commands.running.live import LiveView
    from commands.running.outcome import Outcome
    from commands.running.watch import Watch
    from commands.simulate import DURATION_S, RATE, pages
    from streams.publishing.simulator import Simulation

    interrupt = None
    with ExitStack() as stack:
        if dataset is None:
            dataset = Simulation(stack.enter_context(pages(deployment.settings)))
            rate = rate or RATE
            duration = (0.0 if stay else DURATION_S) if duration is None else duration
        publishing = stack.enter_context(Publishing(dataset, deployment.settings, rate, limit))
        watch = Watch(deployment, publishing, stack.enter_context(LiveView(console)), duration or math.inf)
        try:
            watch.to_the_end()
        except KeyboardInterrupt as wish:
            interrupt = wish
        outcome = Outcome(
            source=dataset.name,
            published=publishing.finish(),
            paced=rate is not None,
            report=deployment.report() if stay and not interrupt else deployment.end_worker(),
            users=ask(deployment.settings, lambda reader: reader.users()),
            seconds=watch.seconds,
            first_list_s=watch.first_list_at and watch.first_list_at - began,
            simulation=dataset if isinstance(dataset, Simulation) else None,
        )
    return outcome, interrupt


def _write(path: Path, numbers: dict[str, Any]) -> None:
    from infra.errors import HeadraceError

    try:
        path.write_text(json.dumps(numbers, indent=1) + "\n", "utf-8")
    except OSError as error:
        raise HeadraceError(f"cannot write the numbers to {path}: {error.strerror}; name another file") from error


def _option(name: str, value: str | None) -> list[str]:
    return [name, value] if value is not None else []
