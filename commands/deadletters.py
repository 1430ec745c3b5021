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
    from streams.deadletters import DeadLetter
    from streams.resend import Resent

_SHOWN = 100  # letters in a table
_BEGINNING = 60  # bytes of a message in a table


@click.group(invoke_without_command=True)
@click.option("--limit", type=click.IntRange(min=1), help=f"Only the newest N; a table shows {_SHOWN} by default.")
@click.option("--reason", help='Only letters of this reason, e.g. "key is not the user".')
@click.option("--config", type=click.Path(), help="Settings file (TOML).")
@click.option("--data", metavar="DIR", help="Data directory of the local services; .headrace by default.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON lines, which `resend --edit` reads.")
@click.pass_context
def command(
    ctx: click.Context,
    limit: int | None,
    reason: str | None,
    config: str | None,
    data: str | None,
    as_json: bool,
) -> None:
    """Show the messages that could not be used, and why; `resend` sends them again.

    \b
    Examples:
      headrace deadletters
      headrace deadletters --reason "bad rating" --json > letters.jsonl
      headrace deadletters resend --edit letters.jsonl
    """
    if ctx.invoked_subcommand is None:
        (_print_json if as_json else _print_table)(_settings(config, data), limit, reason)


@command.command()
@click.option("--reason", help="Only letters of this reason.")
@click.option("--edit", type=click.Path(path_type=Path), help="Letters as `--json` prints them, with corrected values.")
@click.option("--config", type=click.Path(), help="Settings file (TOML).")
@click.option("--data", metavar="DIR", help="Data directory of the local services; .headrace by default.")
@click.option("--json", "as_json", is_flag=True, help="Print the outcome as JSON.")
def resend(reason: str | None, edit: Path | None, config: str | None, data: str | None, as_json: bool) -> None:
    """Send dead letters to their topics again, each at most once.

    A message whose key is missing or wrong goes under the key that its event names: its user, or its item. Any other
    goes only with a value from --edit FILE. What would be refused again stays where it is.

    \b
    Examples:
      headrace deadletters resend
      headrace deadletters resend --edit letters.jsonl
    """
    from streams.producer import EventProducer
    from streams.resend import corrections
    from streams.resend import resend as send_again

    corrected = corrections(edit) if edit else None
    settings = _settings(config, data)
    outcome = send_again(settings, EventProducer(settings), reason=reason, corrected=corrected)
    (_print_outcome_json if as_json else _print_outcome)(outcome)


def _settings(config: str | None, data: str | None) -> Settings:
    from infra.local import find_broker

    return find_broker(load_settings(config, data=data))


def _print_json(settings: Settings, limit: int | None, reason: str | None) -> None:
    from streams.resend import as_json

    letters, resent = _letters(settings, reason), _resent(settings)
    for letter in deque(letters, limit) if limit else letters:
        click.echo(as_json(letter, letter.source in resent))


def _print_table(settings: Settings, limit: int | None, reason: str | None) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    counts: Counter[str] = Counter()
    newest: deque[DeadLetter] = deque(maxlen=limit or _SHOWN)
    for letter in _letters(settings, reason):
        counts[letter.reason] += 1
        newest.append(letter)
    console = Console(highlight=False)
    if not newest:
        console.print("No dead letters.")
        return
    resent = _resent(settings)
    table = Table("when", "where", "reason", "what is wrong", "message", box=None)
    for letter in newest:
        state = "sent again" if letter.source in resent else letter.reason
        cells = (_when(letter.seen), letter.source, state, letter.detail, _beginning(letter.value))
        table.add_row(*(Text(printable(cell)) for cell in cells), style="dim" if letter.source in resent else "")
    console.print(table)
    console.print(f"{len(newest):,} of {counts.total():,}: {_in_words(counts)}", markup=False, soft_wrap=True)


def _letters(settings: Settings, reason: str | None) -> Iterator[DeadLetter]:
    from streams.deadletters import read

    return (letter for letter in read(settings) if reason in (None, letter.reason))


def _resent(settings: Settings) -> set[str]:
    from streams.producer import EventProducer
    from streams.resend import Remembered

    return Remembered(settings, EventProducer(settings).cluster()).sources


def _print_outcome(outcome: Resent) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True, markup=False)
    console.print(f"{outcome.sent:,} sent again, {outcome.earlier:,} had been before.")
    for reason, (count, why) in outcome.remaining.items():
        console.print(f"{count:,} remain, {reason}; {printable(why)}", style="yellow")
    if outcome.remaining:
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


def _beginning(value: bytes | None) -> str:
    return "(none)" if value is None else value[:_BEGINNING].decode("utf-8", "replace")


def _in_words(counts: Counter[str]) -> str:
    return ", ".join(f"{count:,} {reason}" for reason, count in counts.most_common())
