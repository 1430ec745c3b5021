"""``headrace recommend``: show a user's list."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import click

from commands.reading import ask, identifier, printable, table
from infra.settings import load_settings

if TYPE_CHECKING:
    from serving.lists.recommend import Answer
    from serving.reading.reader import Reader


@click.command()
@click.argument("user", callback=identifier)
@click.option("-n", "count", type=click.IntRange(min=1), default=10, show_default=True, help="At most so many items.")
@click.option("--exclude", "excluded", multiple=True, metavar="ID", help="Leave this item out; may be repeated.")
@click.option("--category", "categories", multiple=True, help="Only items of this category; may be repeated.")
@click.option("--explain", is_flag=True, help="Say why, in words.")
@click.option("--config", type=click.Path(), help="Settings file (TOML).")
@click.option("--home", metavar="DIR", help="Data directory of the local store; .headrace by default.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(
    user: str,
    count: int,
    excluded: tuple[str, ...],
    categories: tuple[str, ...],
    explain: bool,
    config: str | None,
    home: str | None,
    as_json: bool,
) -> None:
    """Show a user's list, or what is popular while he has none.

    \b
    Example:
      headrace recommend alice -n 5 --explain
    """
    from serving.answers import answers
    from serving.lists.recommend import Wishes

    wishes = Wishes(count, exclude=frozenset(excluded), categories=frozenset(categories))

    async def question(reader: Reader) -> tuple[Answer, dict[str, str]]:
        answer = await answers.for_user(reader, user, wishes)
        return answer, await answers.titles(reader, _named(answer))

    answer, titles = ask(load_settings(config, home=home), question)
    rows = [_row(answer, rank, titles, explain) for rank in range(len(answer.items))]
    if as_json:
        _print_json(user, answer, rows)
    else:
        _print_table(user, answer, rows)


def _named(answer: Answer) -> list[str]:
    """Return the items of the list and those that its reasons name."""
    named = {item for entry in answer.items for item in (entry.item, *entry.reasons[1:])}
    return sorted(named)


def _row(answer: Answer, rank: int, titles: dict[str, str], explain: bool) -> dict[str, Any]:
    from serving.answers import words

    entry = answer.items[rank]
    row = {
        "rank": rank + 1,
        "item": entry.item,
        "title": titles.get(entry.item),
        "score": entry.score,
        "rating": entry.rating,
        "reasons": entry.reasons,
    }
    return row | {"because": words.explain(entry.reasons, titles)} if explain else row


def _print_json(user: str, answer: Answer, rows: list[dict[str, Any]]) -> None:
    import orjson

    body = {"user": user, "stage": answer.stage, "version": answer.version, "time": answer.time, "items": rows}
    click.echo(orjson.dumps(body))


def _print_table(user: str, answer: Answer, rows: list[dict[str, Any]]) -> None:
    from rich.console import Console

    console = Console(highlight=False)
    console.print(printable(_heading(user, answer)), markup=False)
    if rows:
        console.print(table(rows, ("rank", "item", "title", "score", "rating", "because")))


def _heading(user: str, answer: Answer) -> str:
    from serving.answers import words

    if answer.version is None or answer.time is None:
        own = f"{user} has no list yet"
    else:
        made = words.ago(time.time_ns() // 1_000_000 - answer.time)
        if answer.stage == "personal":
            return f"{user}'s list, made {made}"
        own = f"nothing on {user}'s list, made {made}, may be shown"
    if answer.stage == "empty":
        return f"{own}, and there is nothing else to show"
    return f"{own}: this is the {answer.stage} list"
