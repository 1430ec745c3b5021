"""``headrace``: finds the command by name and imports only that one."""

from __future__ import annotations

import importlib
import sys

import click

COMMANDS = {
    "run": "Start everything on this machine and watch it learn.",
    "local": "Start just the embedded broker and store, and keep them up.",
    "topics": "Create the topics, report those with other settings.",
    "worker": "Consume events, keep lists fresh.",
    "serve": "Serve lists over HTTP.",
    "key": "Make an API key for the HTTP service.",
    "publish": "Publish a data set's folder or JSON lines.",
    "simulate": "Publish what simulated visitors do with their lists.",
    "recommend": "Show a user's list.",
    "item": "Show an item and its neighbours.",
    "replay": "Learn the history in Kafka again, into a namespace of its own.",
    "promote": "Let readers use another namespace, or the one before.",
    "namespaces": "Show the namespaces, or delete one.",
    "status": "Show the workers: partitions, lag, freshness.",
    "doctor": "Examine the deployment and say what to do.",
    "evaluate": "Measure how good the recommendations are on your events.",
    "forget": "Forget a person, or what he did with one item.",
    "export": "Give a person his data, or write a namespace's histories.",
    "import": "Bring histories into a fresh namespace.",
    "deadletters": "Show what could not be used, and send it again.",
}

_FILES = {"import": "import_"}  # a word that Python keeps for itself


class _Lazy(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"commands.{_FILES.get(cmd_name, cmd_name)}").command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        # The help page must not import every command to print a line about each.
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.command(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(package_name="headrace")
def cli() -> None:
    """Publish events to Kafka, read recommendations from Redis, replay historical topics."""


def main() -> None:
    """Run the command line; a user's mistake ends in one line, not in a traceback."""
    from infra.errors import HeadraceError

    try:
        cli()
    except HeadraceError as error:
        click.secho(f"headrace: {error}", fg="red", err=True)
        sys.exit(1)
