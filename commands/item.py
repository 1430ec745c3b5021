"""``headrace item``: show an item and its neighbours."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from commands.reading import ask, identifier, printable, table
from infra.settings import load_settings

if TYPE_CHECKING:
    from serving.reading.reader import Reader


@click.command()
@click.argument("item", metavar="ID", callback=identifier)
@click.option("-n", "count", type=click.IntRange(min=1), default=10, show_default=True, help="Neighbours, at most.")
@click.option("--config", type=click.Path(), help="Settings file (TOML).")
@click.option("--home", metavar="DIR", help="Data directory of the local store; .headrace by default.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(item: str, count: int, config: str | None, home: str | None, as_json: bool) -> None:
    """Show what is known of an item, and the items that go with it.

    \b
    Example:
      headrace item 260
    """

    async def question(reader: Reader) -> dict[str, Any]:
        return await _description(reader, item, count)

    description = ask(load_settings(config, home=home), question)
    (_print_json if as_json else _print_text)(description)


async def _description(reader: Reader, item: str, count: int) -> dict[str, Any]:
    from msgspec.structs import asdict

    from serving.answers import answers
    from serving.lists.recommend import Wishes
    from serving.reading.values import ItemRecord

    near = (await answers.similar(reader, item, Wishes(count))).items
    records = await reader.items([item, *(entry.item for entry in near)])
    titles = {name: record.title for name, record in records.items()}
    return asdict(records.get(item) or ItemRecord(item)) | {
        "known": item in records,
        "withheld": bool(await reader.withheld([item])),
        "neighbours": [{"item": entry.item, "title": titles.get(entry.item), "score": entry.score} for entry in near],
    }


def _print_json(description: dict[str, Any]) -> None:
    import orjson

    click.echo(orjson.dumps(description))


def _print_text(description: dict[str, Any]) -> None:
    from rich.console import Console

    console = Console(highlight=False, markup=False)
    name = description["item"]
    console.print(printable(f"{name}  {description['title'] or ''}".rstrip()), style="bold")
    if not description["known"]:
        console.print("Nothing has been said of this item on the topic of items.")
    if description["categories"]:
        console.print(printable(", ".join(description["categories"])))
    if description["withheld"]:
        console.print(f"Withheld: nobody is shown it ({_cause(description)}).", style="yellow")
    if description["neighbours"]:
        console.print(table(description["neighbours"], ("item", "title", "score")))
    else:
        console.print("No neighbours yet: nobody has had it together with another item.")


def _cause(description: dict[str, Any]) -> str:
    causes = [name for name in ("deleted", "hidden") if description[name]]
    return " and ".join(causes) or ("expired" if description["expires"] else "set aside by the operator")
