"""``headrace status``: what the workers of a deployment say of themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from infra.settings import Settings, load_settings

_COLUMNS = (
    "worker", "state", "partitions", "lag", "barrier", "log", "events/s", "fresh p50/p99", "hit rate", "users",
    "memory",
)  # fmt: skip


@click.command()
@click.option("--config", type=click.Path(), help="Settings file (TOML).")
@click.option("--home", metavar="DIR", help="Data directory of the local store; .headrace by default.")
@click.option("--namespace", help="The deployment that is meant.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON: everything that the workers report.")
def command(config: str | None, home: str | None, namespace: str | None, as_json: bool) -> None:
    """Show the workers: partitions, lag, age of the last barrier, log position, freshness, live hit rate, memory.

    \b
    Example:
      headrace status --namespace next
    """
    import json

    from rich.console import Console

    from commands.reading import table

    settings = load_settings(config, home=home, namespace=namespace)
    reports = _reports(settings)
    if as_json:
        click.echo(json.dumps({"namespace": settings.namespace, "workers": reports}))
        return
    if not reports:
        click.echo(f"no worker has reported in namespace {settings.namespace}: start one with `headrace worker`")
        return
    console = Console(highlight=False)
    console.print(table([_row(report) for report in reports.values()], _COLUMNS), soft_wrap=True)
    lag = sum(report["lag"] for report in reports.values() if _alive(report))
    console.print(f"namespace {settings.namespace}: {lag:,} events wait")


def _reports(settings: Settings) -> dict[str, dict[str, Any]]:
    from contracts.redis import Keys
    from infra.local import reading_store
    from infra.redis import connect
    from serving.store.store import Store

    with reading_store(settings) as url:
        store = Store(connect(url), Keys(settings.namespace, settings.redis.prefix), settings.worker.list_s)
        return dict(sorted(store.worker_reports().items()))


def _row(report: Mapping[str, Any]) -> dict[str, Any]:
    fresh = report["freshness_ms_p50"], report["freshness_ms_p99"]
    return {
        "worker": report["worker"],
        "state": _state(report),
        "partitions": str(report["partitions"]),
        "lag": f"{report['lag']:,}",
        "barrier": f"{report['barrier_age_ms'] / 1000:.1f} s",
        "log": f"{report['log_position']:,}",
        "events/s": None if report["events_per_second"] is None else f"{report['events_per_second']:,.0f}",
        "fresh p50/p99": None if fresh[0] is None else f"{fresh[0]:.0f}/{fresh[1]:.0f} ms",
        "hit rate": f"{report['hit_rate_at_10']:.3f}" if report["scored"] else None,
        "users": f"{report['resident_users']:,}",
        "memory": f"{report['resident_mb']:,.0f} MB",
    }


def _state(report: Mapping[str, Any]) -> str:
    from streams.watching.health import silence_s

    if _alive(report):
        return "ready" if report["ready"] else "not ready"
    # The last word of a worker that ends in order is that it is not ready.
    return f"silent for {silence_s(report):,.0f} s" if report["ready"] else "ended"


def _alive(report: Mapping[str, Any]) -> bool:
    from streams.watching.health import SILENT_S, silence_s

    return silence_s(report) <= SILENT_S
