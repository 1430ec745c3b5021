"""``headrace doctor``: look at everything that a deployment rests on, and say what to do."""

from __future__ import annotations

import sys

import click

from infra.settings import load_settings


@click.command()
@click.option("--config", type=click.Path(), help="Settings file (TOML).")
@click.option("--home", metavar="DIR", help="Data directory of the local services; .headrace by default.")
@click.option("--namespace", help="The deployment that is meant.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def command(config: str | None, home: str | None, namespace: str | None, as_json: bool) -> None:
    """Examine broker, topics, learning log, Redis and workers, and say what to do about what is not well.

    Changes nothing. The exit code is 1 where there is a problem; warnings leave it at 0.

    \b
    Example:
      headrace doctor --config production.toml
    """
    import json
    from dataclasses import asdict

    from rich.console import Console
    from rich.text import Text

    from commands.reading import printable
    from infra.findings import State
    from infra.local import find_services
    from streams.watching.health import examine_deployment

    settings = find_services(load_settings(config, home=home, namespace=namespace))
    console = Console(highlight=False, soft_wrap=True)
    findings = []
    styles = {State.OK: "green", State.WARNING: "yellow", State.PROBLEM: "bold red"}
    for finding in examine_deployment(settings):
        findings.append(finding)
        if not as_json:
            head = Text(f"{finding.state:8}", styles[finding.state])
            console.print(head, Text(printable(f"{finding.subject}: {finding.text}")))
            if finding.remedy:
                console.print(Text(f"{'':9}→ {printable(finding.remedy)}", "dim"))
    if as_json:
        click.echo(json.dumps({"findings": [asdict(finding) for finding in findings]}))
    if any(finding.state == State.PROBLEM for finding in findings):
        sys.exit(1)
