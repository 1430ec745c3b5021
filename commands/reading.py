"""What the commands that read have in common."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rich.table import Table

    from infra.settings import Settings
    from serving.reading.reader import Reader

T = TypeVar("T")
_NUMBERS = frozenset({"rank", "score", "rating"})


def ask(settings: Settings, question: Callable[[Reader], Awaitable[T]]) -> T:
    """Ask the store one thing.

    Raises
    ------
    StoreError
        When there is no store, or when it does not answer.
    """
    from infra.errors import StoreError
    from infra.local import reading_store
    from serving.reading.reader import StoreUnavailable

    async def asked(url: str) -> T:
        async with open_reader(settings, url) as reader:
            return await question(reader)

    with reading_store(settings) as url:
        try:
            return asyncio.run(asked(url))
        except StoreUnavailable as error:
            raise StoreError(f"{error}; is redis.url in the settings right, and does the store run?") from error


def open_reader(settings: Settings, url: str) -> Reader:
    """Return a reader of the deployment's keys at this URL.

    Raises
    ------
    StoreError
        When the URL is none.
    """
    from infra.errors import StoreError
    from serving.reading.reader import Reader

    try:
        return Reader(url, settings.redis.prefix, settings.namespace)
    except (ValueError, TypeError) as error:  # the latter of words that redis-py does not know
        raise StoreError(f"redis.url is not the address of a Redis: {error}") from error


def identifier(_ctx: click.Context, _param: click.Parameter, value: str) -> str:
    """Check an id that was given on the command line."""
    from contracts.events import MAX_ID_BYTES

    try:
        size = len(value.encode())
    except UnicodeEncodeError as error:
        raise click.BadParameter("an id is text in UTF-8") from error
    if not 0 < size <= MAX_ID_BYTES:
        raise click.BadParameter(f"an id has 1 to {MAX_ID_BYTES} bytes, this one has {size}")
    return value


def optional(ctx: click.Context, param: click.Parameter, value: str | None) -> str | None:
    """Check an id that may be absent."""
    return None if value is None else identifier(ctx, param, value)


def printable(text: str) -> str:
    """Return text from outside so that it cannot steer the terminal."""
    return "".join(char if char.isprintable() else "�" for char in text)


def table(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Table:
    """Return rows as a table of those of the columns that have a value in any row."""
    from rich.table import Table
    from rich.text import Text

    used = [column for column in columns if any(row.get(column) is not None for row in rows)]
    shown = Table(box=None, pad_edge=False)
    for column in used:
        shown.add_column(column, justify="right" if column in _NUMBERS else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(Text(_cell(row.get(column))) for column in used))
    return shown


def _cell(value: object) -> str:
    if value is None:
        return ""
    return f"{value:.3f}" if isinstance(value, float) else printable(str(value))
