"""What a ``headrace run`` came to: in words, as JSON, and what to try next."""

from __future__ import annotations

import platform
import shutil
import sys
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console

from commands.running.live import duration
from commands.simulate import describe

if TYPE_CHECKING:
    from infra.settings import Settings
    from streams.publishing.publish import Published
    from streams.publishing.simulator import Simulation

_REPORTED = (
    "events_applied", "duplicates", "dead_letters", "lists_written", "events_per_second", "events_per_batch",
    "freshness_ms_p50", "freshness_ms_p99",
    "scored", "hit_rate_at_10", "ndcg_at_10", "popularity_hit_rate_at_10", "list_hit_rate_at_10",
)  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """A run at its end.

    Parameters
    ----------
    source : str
        What was published.
    published : Published
    paced : bool
        Whether it was published at a rate that was asked for.
    report : dict
        The worker's last report, see ``streams.watching.status``.
    users : list of str
        Users with a list.
    seconds : float
        From the first event published to the last one applied.
    first_list_s : float or None
        From the command to the first list in Redis, to half a second; None without any.
    simulation : Simulation or None
        What was published, where it was that.
    """

    source: str
    published: Published
    paced: bool
    report: dict[str, Any]
    users: list[str]
    seconds: float
    first_list_s: float | None
    simulation: Simulation | None

    def numbers(self) -> dict[str, Any]:
        """Return everything for ``--json``."""
        dropped = {reason: count for reason, (count, _) in self.published.dropped.items()}
        shares = self.simulation.click_through() if self.simulation else []
        return {
            "source": self.source,
            "published": self.published.events,
            "items_published": self.published.items,
            "not_published": dropped,
            "complete": self.published.complete,
            "seconds": round(self.seconds, 3),
            "first_list_s": self.first_list_s and round(self.first_list_s, 1),
            "users_with_list": len(self.users),
            **{name: self.report.get(name) for name in _REPORTED},
            "click_through_by_tenth": [round(share, 4) for share in shares],
        }

    def tell(self, console: Console) -> None:
        """Print the numbers in words."""
        report, published = self.report, self.published
        if published.complete and not (published.events or published.items or published.dropped):
            console.print(f"{self.source} was published before: nothing of it was left.")
        else:
            console.print(f"{self.source}: {published.events:,} events published in {published.seconds:.1f} s.")
        for reason, (count, example) in published.dropped.items():
            console.print(f"{count:,} rows not sent, {reason}; row {example.line:,}: {example.text}", style="yellow")
        speed = report["events_per_second"]
        console.print(
            f"Applied {report['events_applied']:,} events" + (f", {speed:,.0f} a second" if speed else "") + f"; "
            f"{report['duplicates']:,} duplicates, {report['dead_letters']:,} dead letters. "
            f"{len(self.users):,} users have a list."
        )
        if report["events_applied"]:
            self._tell_quality(console)
        if self.simulation:
            console.print(describe(self.simulation))
        elif not published.complete:
            console.print(f"{published.rows:,} rows are done; the same command goes on there.")

    def _tell_quality(self, console: Console) -> None:
        report = self.report
        note = "" if self.paced else " (as fast as possible: this is the time in the queue; --rate shows it live)"
        p50, p99 = (duration(report[f"freshness_ms_{part}"]) for part in ("p50", "p99"))
        console.print(f"From event to list in Redis: p50 {p50}, p99 {p99}{note}.")
        console.print(
            f"Next item among the first 10, before it was learned: {report['hit_rate_at_10']:.3f}; "
            f"by popularity {report['popularity_hit_rate_at_10']:.3f}."
        )


def suggest(console: Console, settings: Settings, options: list[str], user: str) -> None:
    """Print commands to go on with.

    Parameters
    ----------
    console : Console
    settings : Settings
        With the addresses of the services.
    options : list of str
        That name the settings file and the data directory, where these are not the defaults.
    user : str
        A user with a list.
    """
    from shlex import join

    from commands.reading import ask, printable
    from contracts.redis import Keys

    listed = ask(settings, lambda reader: reader.user_list(user))
    item = listed.items[0] if listed and listed.items else "1"
    key = Keys(settings.namespace, settings.redis.prefix).top(user)
    headrace = _program()
    console.print("Try next:", style="bold")
    for line in (
        join([headrace, "recommend", user, "--explain", *options]),
        join([headrace, "item", item, *options]),
        join([headrace, "serve", *options]),
        join([headrace, "local", *options]) + "    # keeps broker and store up, for your own programs and for",
        join(["redis-cli", "-u", settings.redis.url, "get", key]),
    ):
        console.print(f"  {printable(line)}")


def _program() -> str:
    """Return what calls this installation from here."""
    ours = Path(sys.executable).with_name("headrace")
    if shutil.which("headrace") == str(ours) or not ours.exists():
        return "headrace"
    return str(ours.relative_to(Path.cwd())) if ours.is_relative_to(Path.cwd()) else str(ours)


def versions(given: Settings, running: Settings) -> dict[str, str | None]:
    """Return what ran: the settings as given say whether the broker is ours, another does not tell its version."""
    from infra.jars import KAFKA_VERSION
    from infra.redis import connect

    with connect(running.redis.url) as store:
        server: Any = store.info("server")
    return {
        "headrace": version("headrace"),
        "kafka": None if given.kafka.bootstrap else KAFKA_VERSION,
        "redis": server["redis_version"],
        "python": platform.python_version(),
    }
