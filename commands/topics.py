"""``headrace topics``: create the topics, report those with other settings."""

from __future__ import annotations

import click

from infra.settings import Settings, load_settings


@click.command()
@click.option("--config", type=click.Path(), help="Settings file (TOML).")
@click.option("--home", metavar="DIR", help="Data directory of the local broker; .headrace by default.")
@click.option("--namespace", help="The deployment whose learning log is meant.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(config: str | None, home: str | None, namespace: str | None, as_json: bool) -> None:
    """Create the topics that are missing, and report those with other settings.

    An existing topic is never changed.

    \b
    Example:
      headrace topics --config production.toml
    """
    from infra.local import find_broker
    from streams.kafka.admin import ensure_topics, topic_partitions, wanted_topics

    settings = find_broker(load_settings(config, home=home, namespace=namespace))
    differences = ensure_topics(settings)
    partitions = topic_partitions(settings, wanted_topics(settings))
    (_print_json if as_json else _print_table)(settings, partitions, differences)


def _print_json(settings: Settings, partitions: dict[str, int], differences: list[str]) -> None:
    import json

    from streams.kafka.admin import wanted_topics

    topics = {
        name: {
            "partitions": partitions[name],
            "key": topic.key,
            "cleanup": topic.cleanup,
            "retention_ms": topic.retention_ms,
        }
        for name, topic in wanted_topics(settings).items()
    }
    click.echo(json.dumps({"bootstrap": settings.kafka.bootstrap, "topics": topics, "differences": differences}))


def _print_table(settings: Settings, partitions: dict[str, int], differences: list[str]) -> None:
    from rich.console import Console
    from rich.table import Table

    from streams.kafka.admin import wanted_topics

    table = Table("topic", "partitions", "key", "cleanup", "kept", box=None)
    for name, topic in wanted_topics(settings).items():
        table.add_row(name, str(partitions[name]), topic.key, topic.cleanup, _kept(topic.retention_ms))
    console = Console()
    console.print(table)
    for line in differences:
        console.print(line, style="yellow", markup=False, soft_wrap=True)


def _kept(retention_ms: int) -> str:
    from contracts.topics import DAY_MS

    return f"{retention_ms // DAY_MS} days" if retention_ms >= 0 else "for ever"
