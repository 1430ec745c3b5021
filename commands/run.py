"""``headrace run``: everything on this machine, from the broker to the lists, and a live view of it."""

from __future__ import annotations

import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import click

from infra.settings import load_settings

if TYPE_CHECKING:
    from rich.console import Console

    from commands.background import Publishing
    from commands.deployment import Deployment
    from evaluation.datasets import Dataset
    from streams.simulator import Simulation

_LOOK_S = 0.5  # as often as the worker reports
_REST_S = 5.0  # for what was published by the end of the duration to be applied


@click.command()
@click.option("--data", metavar="FOLDER|FILE", help="Data set to publish; without one, visitors are simulated.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Events per second; by default no limit.")
@click.option("--duration", type=click.FloatRange(min=0), help="Seconds; 60 for a simulation; 0 = until Ctrl-C.")
@click.option("--limit", type=click.IntRange(min=1), help="Publish at most so many events; the next run goes on there.")
@click.option("--fresh", is_flag=True, help="Clear what earlier runs have left in the data directory first.")
@click.option("--json", "out", type=click.Path(dir_okay=False), metavar="OUT", help="Write the numbers to this file.")
@click.option("--config", type=click.Path(), help="Settings file (TOML).")
@click.option("--home", metavar="DIR", help="Data directory of the local services; .headrace by default.")
def command(
    data: str | None,
    rate: float | None,
    duration: float | None,
    limit: int | None,
    fresh: bool,
    out: str | None,
    config: str | None,
    home: str | None,
) -> None:
    """Start broker, store and worker, publish a data set or simulated visits, and watch the lists learn.

    The data directory keeps everything, so that the next run goes on where this one ends.

    \b
    Examples:
      headrace run
      headrace run --data ml-100k
      headrace run --data events.jsonl --rate 500
    """
    from rich.console import Console

    from commands.deployment import Deployment
    from commands.interrupts import interrupts, status_of
    from evaluation.datasets import DatasetError, open_dataset
    from infra.errors import HeadraceError

    try:
        dataset = open_dataset(data) if data else None
    except DatasetError as error:
        raise HeadraceError(str(error)) from error
    settings = load_settings(config, data=home)
    options = [*_option("--config", config), *_option("--data", home)]
    console = Console(highlight=False, soft_wrap=True)
    try:
        with interrupts(), Deployment(settings, options, fresh, console) as deployment:
            run = _Run(deployment, console)
            run.publish(dataset, rate, duration, limit)
            run.conclude(options, not settings.kafka.bootstrap, Path(out) if out else None)
            if run.interrupt:
                raise run.interrupt
    except KeyboardInterrupt as interrupt:
        sys.exit(status_of(interrupt))


class _Run:
    """One run on services and a worker that are up."""

    def __init__(self, deployment: Deployment, console: Console) -> None:
        self._deployment, self._console = deployment, console
        self._first_list_s: float | None = None
        self._began = time.monotonic()
        self._seconds = 0.0
        self.interrupt: KeyboardInterrupt | None = None

    def publish(self, dataset: Dataset | None, rate: float | None, duration: float | None, limit: int | None) -> None:
        """Publish until everything is applied, the time is over, or someone wants it to end."""
        from commands.background import Publishing
        from commands.simulate import DURATION_S, RATE, pages
        from streams.simulator import Simulation

