"""``headrace forget``: a person, or what he did with one item."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import click

from commands.reading import identifier, optional, printable
from infra.settings import Settings, load_settings

if TYPE_CHECKING:
    from serving.store.holdings import Holding

_LOOK_S = 0.1


@click.command()
@click.argument("user", callback=identifier)
@click.option(
    "--item", metavar="ID", callback=optional, help="Take back only what he did with this item, e.g. a refund."
)
@click.option("--wait", type=click.FloatRange(min=0), default=30.0, show_default=True, help="Seconds; 0 = do not wait.")
@click.option("--config", type=click.Path(), help="Settings file (TOML).")
@click.option("--home", metavar="DIR", help="Data directory of the local services; .headrace by default.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(user: str, item: str | None, wait: float, config: str | None, home: str | None, as_json: bool) -> None:
    """Forget a person: state, list, vector and rating row go in all namespaces, and stay away in every replay.

    Workers do it as they read the wish from Kafka; this command publishes it and waits until it is done. The status is
    1 when a namespace still holds something then: its worker does not run, and will do it when it starts.

    \b
    Examples:
      headrace forget ann
      headrace forget ann --item film-7
    """
    from contracts.events import UNDO, Click, User
    from infra.local import find_services
    from streams.kafka.producer import EventProducer

    settings = find_services(load_settings(config, home=home))
    producer = EventProducer(settings)
    producer.publish(User(user, forget=True) if item is None else Click(user, item, type=UNDO))
    producer.flush()
    waiting = _wait(settings, user, item, wait) if wait else None
    _print(user, item, waiting, as_json)
    if waiting:
        raise SystemExit(1)


def _wait(settings: Settings, user: str, item: str | None, seconds: float) -> list[str]:
    """Return the namespaces that still hold what is to go when the time is over."""
    from infra.redis import connect
    from serving.store.holdings import Holdings
    from streams.forgetting.person import home_of

    holdings = Holdings(connect(settings.redis.url), settings.redis.prefix)
    home, waiting, deadline = home_of(settings, user), holdings.namespaces(), time.monotonic() + seconds
    while waiting := [name for name in waiting if _holds(holdings.of(name, home, user), item)]:
        if time.monotonic() > deadline:
            break
        time.sleep(_LOOK_S)
    return waiting


def _holds(holding: Holding, item: str | None) -> bool:
    from contracts.events import item_key
    from models.user_state import decode_state

    if item is None:
        return any(value is not None for value in holding)
    return holding.state is not None and item_key(item) in decode_state(holding.state).seen


def _print(user: str, item: str | None, waiting: list[str] | None, as_json: bool) -> None:
    import json

    if as_json:
        click.echo(json.dumps({"user": user, "item": item, "waited": waiting is not None, "held_by": waiting or []}))
        return
    what = printable(user if item is None else f"what {user} did with {item}")
    if waiting is None:
        click.echo(f"The wish to forget {what} is published.")
    elif waiting:
        click.echo(f"The wish to forget {what} is published; not yet done in {', '.join(waiting)}: is a worker up?")
    else:
        click.echo(f"Forgotten: {what}. What remains in Kafka, and for how long: docs/forgetting.md")
