"""``headrace import``: histories from a file into a fresh namespace."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from infra.settings import load_settings

if TYPE_CHECKING:
    from streams.replaying.importing import Histories, Importer


@click.command()
@click.argument("file", metavar="FILE|-")
@click.option("--namespace", required=True, help="The namespace to make; it must be new.")
@click.option("--config", type=click.Path(), help="Settings file (TOML).")
@click.option("--home", metavar="DIR", help="Data directory of the local services; .headrace by default.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(file: str, namespace: str, config: str | None, home: str | None, as_json: bool) -> None:
    """Make a namespace from histories: an export of ours, or what another system knows, as JSON lines.

    The item model learns the events in the order of their times; afterwards `headrace worker --namespace NAME` goes on
    with what is published from now on. Events that Kafka is to keep, and every namespace to learn, go by `publish`.

    \b
    Lines:
      {"user": "ann", "history": [{"item": "42", "time": 1718000000000, "type": "play"}, …]}
      {"user": "ann", "item": "42", "time": 1718000000000, "rating": 4.5}

    \b
    Example:
      headrace import main.jsonl --namespace restored
    """
    from contracts.redis import Keys
    from evaluation.rows import DatasetError
    from infra.errors import HeadraceError
    from infra.local import find_services
    from infra.redis import connect
    from serving.store.store import Store
    from streams.forgetting.marks import Marks
    from streams.replaying.importing import begin, checkpoints_of, read_histories

    settings = find_services(load_settings(config, home=home, namespace=namespace))
    keys = Keys(settings.namespace, settings.redis.prefix)
    work = settings.worker
    importer = begin(
        settings, Store(connect(settings.redis.url), keys, work.list_s, work.state_s, settings.worker.search_terms)
    )
    try:
        histories = read_histories(None if file == "-" else Path(file), Marks.read(settings))
    except DatasetError as error:
        raise HeadraceError(str(error)) from error
    events, users = _imported(importer, histories)
    importer.finish(checkpoints_of(settings))
    (_print_json if as_json else _print_text)(namespace, events, users, histories)


def _imported(importer: Importer, histories: Histories) -> tuple[int, int]:
    from commands.progress import counted

    with counted("events", sum(len(history.history) for history in histories.of.values())) as tick:
        events = importer.learn(histories, tick)
    with counted("users", len(histories.of)) as tick:
        users = importer.write(histories, tick)
    return events, users


def _print_text(namespace: str, events: int, users: int, histories: Histories) -> None:
    from commands.reading import printable

    click.echo(
        f"{namespace}: {users:,} users, {events:,} events learned. Go on: headrace worker --namespace {namespace}"
    )
    if histories.items:
        click.echo(f"{histories.items:,} lines about items were not needed.")
    for reason, (count, example) in histories.dropped.items():
        click.secho(f"{count:,} not used, {reason}; line {example.line:,}: {printable(example.detail)}", fg="yellow")


def _print_json(namespace: str, events: int, users: int, histories: Histories) -> None:
    import json

    dropped = {
        reason: {"count": count, "line": example.line, "text": example.text, "detail": example.detail}
        for reason, (count, example) in histories.dropped.items()
    }
    click.echo(json.dumps({"namespace": namespace, "users": users, "events": events, "dropped": dropped}))
