"""``headrace deadletters``: what could not be used, in words, and back into its topics."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from commands.reading import printable
from infra.settings import Settings, load_settings

if TYPE_CHECKING:
    from rich.text import Text

    from streams.deadletters.letters import DeadLetter
    from streams.deadletters.resend import Resent

_SHOWN = 100  # letters in a table
_BEGINNING = 60  # bytes of a message in a table


@click.group(invoke_without_command=True)
@click.option("--limit", type=click.IntRange(min=1), help=f"Only the newest N; a table shows {_SHOWN} by default.")
@click.option("--reason", help='Only letters of this reason, e.g. "key is not the user".')
@click.option("--config", type=click.Path(), help="Settings file (TOML).")
@click.option("--home", metavar="DIR", help="Data directory of the local services; .headrace by default.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines, which `resend --edit` reads.")
@click.pass_context
def command(
    ctx: click.Context,
    limit: int | None,
    reason: str | None,
    config: str | None,
    home: str | None,
    as_json: bool,
) -> None:
    """Show the messages that could not be used, and why; `resend` sends them again.

    \b
    Examples:
      headrace deadletters
      headrace deadletters --reason "bad rating" --json > letters.jsonl
      headrace deadletters resend --edit letters.jsonl
    """
    ctx.default_map = {"resend": {"reason": reason, "config": config, "home": home, "as_json": as_json}}
    if ctx.invoked_subcommand is None:
        (_print_json if as_json else _print_table)(_settings(config, home), limit, reason)


@command.command()
@click.option("--reason", help="Only letters of this reason.")
@click.option("--edit", type=click.Path(path_type=Path), help="Letters as `--json` prints them, with corrected values.")
@click.option("--config", type=click.Path(), help="Settings file (TOML).")
@click.option("--home", metavar="DIR", help="Data directory of the local services; .headrace by default.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def resend(reason: str | None, edit: Path | None, config: str | None, home: str | None, as_json: bool) -> None:
    """Send dead letters to their topics again, each at most once.

    A message whose key is missing or wrong goes under the key that its event names: its user, or its item. Any other
    goes only with a value from --edit FILE. What would be refused again stays where it is.

    \b
    Examples:
      headrace deadletters resend
      headrace deadletters resend --edit letters.jsonl
    """
    from streams.deadletters.resend import corrections
    from streams.deadletters.resend import resend as send_again
    from streams.kafka.producer import EventProducer

    corrected = corrections(edit) if edit else None
    settings = _settings(config, home)
    outcome = send_again(settings, EventProducer(settings), reason=reason, corrected=corrected)
    (_print_outcome_json if as_json else _print_outcome)(outcome)


def _settings(config: str | None, home: str | None) -> Settings:
    from infra.local import find_broker

    return find_broker(load_settings(config, home=home))


def _print_json(settings: Settings, limit: int | None, reason: str | None) -> None:
    from streams.deadletters.resend import as_json

    letters, resent = _letters(settings, reason), _resent(settings)
    for letter in deque(letters, limit) if limit else letters:
        click.echo(as_json(letter, letter.source in resent))


def _print_table(settings: Settings, limit: int | None, reason: str | None) -> None:
    from rich.console import Console
    from rich.table import Table

    counts: Counter[str] = Counter()
    details: dict[str, str] = {}
    newest: deque[DeadLetter] = deque(maxlen=limit or _SHOWN)
    for letter in _letters(settings, reason):
        counts[letter.reason] += 1
        details[letter.reason] = letter.detail
        newest.append(letter)
    console = Console(highlight=False, markup=False)
    if not newest:
        console.print("No dead letters.")
        return
    resent = _resent(settings)
    table = Table("when", "where", "what is wrong, and with what", box=None)
    for letter in newest:
        where = letter.source.removeprefix(f"{settings.kafka.prefix}.")
        table.add_row(_when(letter.seen), printable(where), _what(letter, letter.source in resent))
    console.print(table)
    console.print(f"{len(newest):,} of {counts.total():,} dead letters:")
    for name, count in counts.most_common():
        console.print(f"  {count:,} {printable(name)}, e.g. {printable(details[name])}", soft_wrap=True)


def _letters(settings: Settings, reason: str | None) -> Iterator[DeadLetter]:
    from streams.deadletters.letters import read

    return (letter for letter in read(settings) if reason in (None, letter.reason))


def _resent(settings: Settings) -> set[str]:
    from streams.deadletters.resend import Remembered
    from streams.kafka.producer import EventProducer

    return Remembered(settings, EventProducer(settings).cluster()).sources


def _print_outcome(outcome: Resent) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True, markup=False)
    console.print(f"{outcome.sent:,} sent again, {outcome.earlier:,} had been before.")
    if outcome.remaining:
        console.print("Not sent:")
        for reason, (count, why) in outcome.remaining.items():
            console.print(f"  {count:,} {printable(reason)}, e.g. {printable(why)}", style="yellow")
        console.print("`headrace deadletters --json` prints them for correction, `resend --edit FILE` takes them back.")
    if outcome.unmatched:
        console.print(f"{outcome.unmatched:,} corrected values belong to no dead letter.", style="yellow")


def _print_outcome_json(outcome: Resent) -> None:
    import json
    from dataclasses import asdict

    remaining = {reason: {"count": count, "example": why} for reason, (count, why) in outcome.remaining.items()}
    click.echo(json.dumps(asdict(outcome) | {"remaining": remaining}))


def _when(milliseconds: int) -> str:
    return f"{datetime.fromtimestamp(milliseconds / 1000).astimezone():%Y-%m-%d %H:%M:%S}"


def _what(letter: DeadLetter, resent: bool) -> Text:
    from rich.text import Text

    value = "(no value)" if letter.value is None else letter.value[:_BEGINNING].decode("utf-8", "replace")
    wrong = letter.detail.partition(";")[0]  # the remedy, behind it, stands once below the table
    state = " (sent again)" if resent else ""
    return Text.assemble(printable(f"{letter.reason}{state}: {wrong}"), "\n", (printable(value), "dim"))
