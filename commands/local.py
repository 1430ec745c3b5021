"""``headrace local``: the embedded broker and store, up until Ctrl-C."""

from __future__ import annotations

import signal
import time
from types import FrameType

import click
from rich.console import Console

from infra.settings import Settings, load_settings


@click.command()
@click.option("--config", type=click.Path(), help="Settings file (TOML).")
@click.option("--home", metavar="DIR", help="Where broker and store keep their data; .headrace by default.")
@click.option("--fresh", is_flag=True, help="Clear what earlier runs have left there first.")
def command(config: str | None, home: str | None, fresh: bool) -> None:
    """Start just the embedded broker and store, and keep them up.

    Data and ports are kept, so a later start continues where this one ends.

    \b
    Example:
      headrace local --home /tmp/headrace
    """
    settings = load_settings(config, home=home)
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        _serve(settings, fresh)
    except KeyboardInterrupt:
        Console(stderr=True).print("Stopped; the data is kept.")


def _serve(settings: Settings, fresh: bool) -> None:
    from infra.local import LocalServices
    from streams.kafka.admin import ensure_topics

    console = Console(highlight=False, soft_wrap=True)
    services = LocalServices(settings, fresh=fresh)
    with services as running:
        differences = ensure_topics(running)
        _print_addresses(console, running)
        for line in differences:
            console.print(line, style="yellow", markup=False)
        if services.kafka is None and services.redis is None:
            console.print("Both run already: nothing to keep up here.")
            return
        console.print("Ctrl-C stops them.")
        while True:
            time.sleep(1)
            services.check()


def _print_addresses(console: Console, settings: Settings) -> None:
    bootstrap, url = settings.kafka.bootstrap, settings.redis.url
    popular = f"{settings.redis.prefix}:{settings.namespace}:popular"
    console.print(f"Kafka  [bold]{bootstrap}[/]   topics {settings.kafka.prefix}.*")
    console.print(f"Redis  [bold]{url}[/]   keys {settings.redis.prefix}:{settings.namespace}:*")
    console.print("For your own programs:")
    console.print(f"  export KAFKA_BOOTSTRAP={bootstrap} REDIS_URL={url}")
    console.print(f"  redis-cli -u {url} get {popular}")


def _interrupt(_signal: int, _frame: FrameType | None) -> None:
    raise KeyboardInterrupt
