"""``headrace replay``: learn the history in Kafka again, into a namespace of its own."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from streams.replaying.replay import Report

_TELL_S = 10.0  # between two lines of progress where there is no terminal


@click.command()
@click.option("--from", "since", default="beginning", show_default=True, metavar="TIME", help="Published since then.")
@click.option("--to", "until", default="now", show_default=True, metavar="TIME", help="Published before then.")
@click.option("--namespace", required=True, help="Where to: a namespace without users, unless --fresh or --resume.")
@click.option("--users", type=click.Path(dir_okay=False), help="Make lists of these only: one id a line.")
@click.option("--follow", is_flag=True, help="Go on as a worker of the namespace when done.")
@click.option("--resume", is_flag=True, help="Go on with an interrupted replay.")
@click.option("--fresh", is_flag=True, help="Clear the namespace first.")
@click.option(
    "--score-every", type=click.IntRange(min=0), default=500, show_default=True,
    help="Rank every n-th event before it is learned, for the hit rate; 0 = none.",
)  # fmt: skip
@click.option("--save-s", type=click.FloatRange(min=0), default=60.0, show_default=True, help="Between two saves.")
@click.option("--json", "out", type=click.Path(dir_okay=False), metavar="OUT", help="Write the figures to this file.")
@click.option("--config", type=click.Path(), help="Settings file (TOML).")
@click.option("--home", metavar="DIR", help="Data directory of the local services; .headrace by default.")
def command(
    since: str,
    until: str,
    namespace: str,
    users: str | None,
    follow: bool,
    resume: bool,
    fresh: bool,
    score_every: int,
    save_s: float,
    out: str | None,
    config: str | None,
    home: str | None,
) -> None:
    """Learn the history in Kafka again, at full speed, into a namespace of its own.

    Workers and readers of other namespaces notice nothing. All partitions are merged by time; lists are made at the
    end. Then `headrace worker --namespace NAME` goes on where the replay ended, and `headrace promote NAME` lets
    readers use it. Ctrl-C ends it with everything saved; --resume goes on.

    TIME is ISO 8601 (2026-07-01T12:00:00Z) or milliseconds since the epoch.

    \b
    Examples:
      headrace replay --namespace next --follow
      headrace replay --namespace july --from 2026-07-01 --to 2026-08-01
    """
    # One thread for matrix products: more only wait for each other beside the thread that reads.
    for library in ("OPENBLAS", "OMP", "MKL"):
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    from commands.running.wish import Wish
    from infra.errors import HeadraceError
    from infra.local import find_services
    from infra.settings import load_settings
    from streams.replaying.replay import Wishes, replay

    if fresh and resume:
        raise click.UsageError("--fresh begins anew and --resume goes on: say one of them")
    wishes = Wishes(since, until, _ids(users), fresh, resume, score_every, save_s)
    settings = find_services(load_settings(config, home=home, namespace=namespace))
    with Wish() as stop, _progress() as on_progress:
        report = replay(
            settings,
            wishes,
            on_progress=on_progress,
            stop=stop,
            warn=lambda text: click.secho(text, fg="yellow", err=True),
        )
    _tell(report)
    if out:
        try:
            Path(out).write_bytes(_encoded(report))
        except OSError as error:
            raise HeadraceError(f"cannot write the figures to {out}: {error.strerror}; name another file") from error
    if report.phase != "done":
        click.echo(f"Interrupted, everything is saved: `headrace replay --namespace {namespace} --resume` goes on.")
        sys.exit(stop.status)
    if follow:
        options = [f"--{name}={value}" for name, value in (("config", config), ("home", home)) if value is not None]
        os.execv(sys.executable, [sys.executable, "-m", "commands", "worker", f"--namespace={namespace}", *options])


def _ids(path: str | None) -> list[str] | None:
    from infra.errors import HeadraceError

    if path is None:
        return None
    try:
        return [line for line in Path(path).read_text("utf-8").splitlines() if line]
    except (OSError, UnicodeDecodeError) as error:
        raise HeadraceError(f"cannot read the users in {path}: {error}") from error


def _encoded(report: Report) -> bytes:
    import orjson

    return orjson.dumps(asdict(report), option=orjson.OPT_INDENT_2) + b"\n"


def _tell(report: Report) -> None:
    click.echo(
        f"{report.read:,} messages, {report.events:,} events of {report.users:,} users and {report.items:,} items "
        f"in {report.seconds:.1f} s; {report.events_per_second:,.0f} a second while learning"
    )
    if report.scored:
        click.echo(
            f"hit rate at 10: {report.hit_rate_at_10:.4f} ({report.scored:,} events ranked before they were learned; "
            f"popularity alone {report.popularity_hit_rate_at_10:.4f})"
        )
    if report.refused:
        refused = ", ".join(f"{reason} {n:,}" for reason, n in sorted(report.refused.items()))
        click.echo(f"could not be used: {refused}")
    if report.phase == "done":
        click.echo(f"{report.lists:,} lists written to namespace {report.namespace}")


@contextmanager
def _progress() -> Iterator[Callable[[Report], None]]:
    """Show a bar on a terminal, and elsewhere a line every few seconds."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(),
        TextColumn("{task.fields[speed]:,.0f} events/s"), TimeRemainingColumn(),
        TextColumn("hit rate {task.fields[quality]:.4f}"),
        console=console, transient=True, disable=not console.is_terminal,
    )  # fmt: skip
    said = time.monotonic()
    with bar:
        task = bar.add_task("events", total=None, speed=0.0, quality=0.0)

        def show(report: Report) -> None:
            nonlocal said
            listing = report.phase != "folding"
            done, total = (report.lists, report.to_list) if listing else (report.read, report.total)
            bar.update(
                task, description="lists" if listing else "events", completed=done, total=total,
                speed=report.events_per_second, quality=report.hit_rate_at_10,
            )  # fmt: skip
            if not console.is_terminal and time.monotonic() - said >= _TELL_S:
                said = time.monotonic()
                left = (report.total - report.read) / max(report.events_per_second, 1.0)
                rest = f", {report.events_per_second:,.0f} a second, about {left:,.0f} s left" if not listing else ""
                click.echo(f"{done:,} of {total:,} {'lists' if listing else 'events'}{rest}", err=True)

        yield show
