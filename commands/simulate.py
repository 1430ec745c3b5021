"""``headrace simulate``: publish what simulated visitors do with their lists."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import click

from infra.settings import Settings, load_settings

if TYPE_CHECKING:
    from streams.publishing.simulator import Page, Simulation

DURATION_S = 60.0
RATE = 500.0  # clicks per second


@click.command()
@click.option("--users", type=click.IntRange(min=1), default=1000, show_default=True, help="Visitors.")
@click.option("--items", type=click.IntRange(min=10), default=2000, show_default=True, help="Items to choose from.")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), default=RATE, help=f"Clicks per second; {RATE:g}.")
@click.option(
    "--duration", type=click.FloatRange(min=0), default=DURATION_S, help=f"Seconds; {DURATION_S:g}; 0 = until Ctrl-C."
)
@click.option("--seed", type=int, default=0, help="Of the visitors' tastes and choices.")
@click.option("--config", type=click.Path(), help="Settings file (TOML).")
@click.option("--home", metavar="DIR", help="Data directory of the local services; .headrace by default.")
def command(
    users: int, items: int, rate: float, duration: float, seed: int, config: str | None, home: str | None
) -> None:
    """Publish what simulated visitors do with their lists, and say how often they click on one.

    Visitors have hidden tastes. At each visit one is shown the first ten items of his list, read from Redis, and clicks
    on one that he likes, or elsewhere in the catalogue. Broker, store and a worker must run.

    \b
    Example:
      headrace simulate --rate 200 --duration 30
    """
    from commands.running.background import Publishing
    from commands.running.interrupts import interrupts, status_of
    from infra.local import find_services
    from streams.kafka.admin import topic_partitions
    from streams.kafka.producer import event_topics
    from streams.publishing.simulator import Simulation

    settings = find_services(load_settings(config, home=home))
    topic_partitions(settings, event_topics(settings))  # says which is missing, and what creates it
    status = 0
    with pages(settings) as page, interrupts():
        simulation = Simulation(page, users, items, seed)
        click.echo(f"{users:,} visitors, {rate:g} clicks a second; Ctrl-C ends it.")
        with Publishing(simulation, settings, rate, None) as publishing:
            try:
                publishing.wait(duration or None)
            except KeyboardInterrupt as interrupt:
                status = status_of(interrupt)
            published = publishing.finish()
    click.echo(f"{published.events:,} clicks published in {published.seconds:.1f} s.")
    click.echo(describe(simulation))
    sys.exit(status)


@contextmanager
def pages(settings: Settings) -> Iterator[Callable[[str], Page]]:
    """Give a function that returns what a visitor is shown now: his own list, or what everyone is shown."""
    from commands.reading import open_reader
    from serving.answers import answers
    from serving.lists.recommend import EMPTY, PERSONAL, Wishes
    from serving.reading.reader import StoreUnavailable
    from streams.publishing.simulator import SHOWN, Page

    reader = open_reader(settings, settings.redis.url)

    def page(user: str) -> Page:
        try:
            answer = loop.run(answers.for_user(reader, user, Wishes(SHOWN)))
        except StoreUnavailable:  # a page without a list: the visitors do not wait for it
            return Page(None, ())
        version = answer.version if answer.stage == PERSONAL else answer.stage
        return Page(None if version == EMPTY else version, [entry.item for entry in answer.items])

    with asyncio.Runner() as loop:
        try:
            yield page
        finally:
            loop.run(reader.__aexit__(None, None, None))


def describe(simulation: Simulation) -> str:
    """Return how often the visitors clicked on what they were shown."""
    tenths = " ".join(f"{share:.0%}" for share in simulation.click_through())
    (whole,) = simulation.click_through(1) or [0.0]
    return f"{whole:.0%} of the clicks were on lists; by tenth of the run: {tenths or 'none'}."
