"""``headrace namespaces``: show the namespaces, or delete one."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from infra.settings import Settings, load_settings

if TYPE_CHECKING:
    from serving.store.namespaces import Namespaces


@click.command()
@click.argument("action", type=click.Choice(["list", "delete"]), default="list")
@click.argument("name", required=False)
@click.option("--config", type=click.Path(), help="Settings file (TOML).")
@click.option("--home", metavar="DIR", help="Data directory of the local services; .headrace by default.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(action: str, name: str | None, config: str | None, home: str | None, as_json: bool) -> None:
    """Show the namespaces, or delete one: its keys, learning log, group and checkpoints.

    The one that readers use is never deleted, nor one whose workers run. Events stay in Kafka.

    \b
    Examples:
      headrace namespaces
      headrace namespaces delete july
    """
    from infra.local import find_services
    from infra.redis import connect
    from serving.store.namespaces import Namespaces

    if (action == "delete") != (name is not None):
        raise click.UsageError("say `headrace namespaces`, or `headrace namespaces delete NAME`")
    settings = find_services(load_settings(config, home=home, namespace=name))
    namespaces = Namespaces(connect(settings.redis.url), settings.redis.prefix, load_settings(config).namespace)
    if name is None:
        _list(namespaces, as_json)
    else:
        _delete(settings, namespaces, as_json)


def _list(namespaces: Namespaces, as_json: bool) -> None:
    from commands.reading import printable, table
    from serving.answers import words

    now = time.time_ns() // 1_000_000
    rows = _rows(namespaces, now)
    if as_json:
        import orjson

        click.echo(orjson.dumps({"active": namespaces.active(), "previous": namespaces.previous(), "namespaces": rows}))
        return
    from rich.console import Console

    shown = [
        row
        | {
            "namespace": printable(row["namespace"]),
            "": "active" if row["active"] else "before" if row["previous"] else None,
            "lists made": None if row["written"] is None else words.ago(now - row["written"]),
            "replay": row["replay"] and f"{row['replay']} ({row['replayed']:.0%})",
        }
        for row in rows
    ]
    columns = ("namespace", "", "users", "lists", "workers", "lists made", "replay")
    Console(highlight=False).print(table(shown, columns))


def _rows(namespaces: Namespaces, now: int) -> list[dict[str, Any]]:
    import orjson

    from streams.replaying.deployment import SILENCE_MS

    active, previous = namespaces.active(), namespaces.previous()
    rows = []
    for found in namespaces.find():
        mark = orjson.loads(found.mark) if found.mark else None
        total = sum(p["end"] - p["first"] for p in mark["plan"]["parts"] if p["kind"] != "items") if mark else 0
        rows.append(
            {
                "namespace": found.name,
                "active": found.name == active,
                "previous": found.name == previous,
                "users": found.states,
                "lists": found.lists,
                "keys": found.keys,
                "workers": sum(now - said["time"] <= SILENCE_MS for said in found.workers.values()),
                "written": found.written,
                "replay": mark and mark["progress"]["phase"],
                "replayed": mark and mark["progress"]["read"] / max(total, 1),
            }
        )
    return rows


def _delete(settings: Settings, namespaces: Namespaces, as_json: bool) -> None:
    from infra.errors import HeadraceError
    from streams.replaying.deployment import SILENCE_MS, clear

    name = settings.namespace
    if name == namespaces.active():
        raise HeadraceError(f"{name} is what readers use: `headrace promote` another namespace first")
    live = namespaces.live_workers(name, time.time_ns() // 1_000_000, SILENCE_MS)
    if live:
        raise HeadraceError(f"workers of namespace {name} are running ({', '.join(live)}): stop them first")
    keys = sum(clear(settings, namespaces))
    if name == namespaces.previous():
        namespaces.forget_previous()
    if as_json:
        import orjson

        click.echo(orjson.dumps({"namespace": name, "keys": keys}))
    else:
        click.echo(f"{name} is deleted: {keys:,} keys, its learning log, group and checkpoints")
