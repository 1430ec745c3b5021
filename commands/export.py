"""``headrace export``: a person's data, or the histories and item statistics of a namespace."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from commands.reading import optional
from infra.settings import Settings, load_settings

if TYPE_CHECKING:
    from serving.store.holdings import Holdings


@click.command()
@click.argument("user", required=False, callback=optional)
@click.option("--namespace", help="Write all histories and item statistics of this namespace.")
@click.option("--out", type=click.Path(dir_okay=False), help="File to write; standard output by default.")
@click.option("--config", type=click.Path(), help="Settings file (TOML).")
@click.option("--home", metavar="DIR", help="Data directory of the local services; .headrace by default.")
def command(user: str | None, namespace: str | None, out: str | None, config: str | None, home: str | None) -> None:
    """Give a person his data as JSON, or write a namespace as JSON lines.

    Lines come sorted, first users, then items, and hold no times of writing: two exports compare by `diff`. A worker
    that runs meanwhile goes on changing what is read; stop it for an exact picture. An item that has left the model
    since stands as `#` and its key.

    \b
    Examples:
      headrace export ann > ann.json
      headrace export --namespace main --out main.jsonl
    """
    from infra.local import find_services
    from infra.redis import connect
    from serving.store.holdings import Holdings

    if (user is None) == (namespace is None):
        raise click.UsageError("name a user, or a namespace with --namespace")
    settings = find_services(load_settings(config, home=home, namespace=namespace))
    with _opened(out) as file:
        if user is not None:
            _person(settings, user, file)
        else:
            _namespace(settings, Holdings(connect(settings.redis.url), settings.redis.prefix), file)


def _person(settings: Settings, user: str, file: BinaryIO) -> None:
    import orjson

    from commands.people import exported

    file.write(orjson.dumps(exported(settings, user), option=orjson.OPT_INDENT_2) + b"\n")


def _namespace(settings: Settings, holdings: Holdings, file: BinaryIO) -> None:
    import msgspec

    from commands.progress import counted
    from models.user_state import CorruptState, decode_state
    from streams.forgetting.histories import history_of
    from streams.learning.present import names, present_model, statistics

    model = present_model(settings, _warn)
    ids = names(model)
    encode = msgspec.json.Encoder().encode
    with counted("users") as tick:
        for user, state in holdings.states(settings.namespace):
            try:
                file.write(encode(history_of(user, decode_state(state), ids)) + b"\n")
            except CorruptState as error:
                _warn(f"{user}: {error}")
            tick(1)
    for item, events in statistics(model):
        file.write(encode({"item": item, "events": events}) + b"\n")


@contextmanager
def _opened(path: str | None) -> Iterator[Any]:
    from infra.errors import HeadraceError

    if path is None:
        yield sys.stdout.buffer
        return
    try:
        with Path(path).open("wb") as file:
            yield file
    except OSError as error:
        raise HeadraceError(f"cannot write {path}: {error.strerror}") from error


def _warn(text: str) -> None:
    click.secho(text, fg="yellow", err=True)
