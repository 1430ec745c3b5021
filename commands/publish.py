"""``headrace publish``: a data set into Kafka, once."""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from types import FrameType
from typing import TYPE_CHECKING

import click

from infra.settings import Settings, load_settings

if TYPE_CHECKING:
    from evaluation.datasets import Dataset
    from streams.publishing.publish import Published

_SAME_WISH_S = 1.0  # a terminal and a wrapping program may both pass on one Ctrl-C


@click.command()
@click.argument("source", metavar="FILE|FOLDER|-")
@click.option("--rate", type=click.FloatRange(min=0, min_open=True), help="Events per second; by default no limit.")
@click.option("--limit", type=click.IntRange(min=1), help="Stop after so many events; the next call goes on there.")
@click.option("--again", is_flag=True, help="Publish from the beginning what was published before.")
@click.option("--config", type=click.Path(), help="Settings file (TOML).")
@click.option("--home", metavar="DIR", help="Data directory of the local services; .headrace by default.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def command(
    source: str,
    rate: float | None,
    limit: int | None,
    again: bool,
    config: str | None,
    home: str | None,
    as_json: bool,
) -> None:
    """Publish a data set to Kafka: a MovieLens folder, or events as JSON lines.

    The items go first, then the events in order. Rows that no worker could use are not sent, but counted and shown. It
    is remembered how far a file got: a second call goes on where the first ended, and sends nothing when nothing is
    left.

    \b
    A line of JSON is what its fields say:
      {"user": "ann", "item": "42", "time": 1718000000000}     a click ("type" names another act)
      {"user": "ann", "item": "42", "rating": 4.5}             a rating
      {"user": "ann", "items": ["42", "7"], "list": "3.1"}     a list that was shown
      {"item": "42", "title": "Heat", "categories": ["Crime"]} an item
      {"user": "ann", "forget": true}                          a user

    \b
    Examples:
      headrace publish ml-1m
      headrace publish events.jsonl.zst --rate 500
      tail -f events.jsonl | headrace publish -
    """
    from evaluation.datasets import DatasetError, open_dataset
    from infra.errors import HeadraceError
    from infra.local import find_broker

    try:
        dataset = open_dataset(source)
        settings = find_broker(load_settings(config, home=home))
        with _Wish(waits=not dataset.files) as stop:
            published = _publish(dataset, settings, rate, limit, again, stop)
        (_print_json if as_json else _print_summary)(dataset, published, stop())
    except DatasetError as error:
        raise HeadraceError(str(error)) from error
    nothing = published.dropped and not (published.events or published.items)
    sys.exit(128 + stop.signal if stop() else int(bool(nothing)))


def _publish(
    dataset: Dataset,
    settings: Settings,
    rate: float | None,
    limit: int | None,
    again: bool,
    stop: _Wish,
) -> Published:
    from infra.errors import BrokerError
    from streams.kafka.admin import topic_partitions
    from streams.kafka.producer import EventProducer, event_topics
    from streams.publishing.ledger import Ledger
    from streams.publishing.publish import publish

    topic_partitions(settings, event_topics(settings))  # says which is missing, and what creates it
    producer = EventProducer(settings)
    ledger = Ledger.of(settings, dataset.files, producer.cluster())
    first = ledger.load().rows if ledger and not again else 0
    try:
        with _progress(dataset, first, limit) as on_progress:
            return publish(
                dataset,
                producer,
                rate=rate,
                limit=limit,
                ledger=ledger,
                again=again,
                on_progress=on_progress,
                stop=stop,
            )
    except BrokerError as error:
        if ledger is None:
            raise
        rows = ledger.load().rows
        raise BrokerError(f"{error}; {rows:,} rows are safely there, the same command goes on after them") from error


class _Wish:
    """Turns Ctrl-C and SIGTERM into a question that is asked between two rows, so that none is sent uncounted.

    No :class:`threading.Event`: to set one in a signal handler waits for a lock that the interrupted code may hold.

    Parameters
    ----------
    waits : bool
        Whether the next row may never come: then reading it is interrupted.

    Attributes
    ----------
    signal : int
        The one that came; 0 before.
    """

    def __init__(self, waits: bool) -> None:
        self.signal = 0
        self._waits = waits
        self._heard = 0.0

    def __call__(self) -> bool:
        return self.signal > 0

    def __enter__(self) -> _Wish:
        self._before = {number: signal.signal(number, self._hear) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        again = self.signal > 0
        if again and now < self._heard + _SAME_WISH_S:
            return
        self.signal, self._heard = number, now
        if again or self._waits:
            raise KeyboardInterrupt


@contextmanager
def _progress(dataset: Dataset, first: int, limit: int | None) -> Iterator[Callable[[Published], None]]:
    """Show a bar with rate and time left on standard error, where that is a terminal."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    console = Console(stderr=True)
    bar = Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[speed]:,.0f} events/s"),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with bar:
        task = bar.add_task(dataset.name, total=None, speed=0.0)

        def show(published: Published) -> None:
            size = dataset.size
            total = min(size, first + limit) if size and limit else size
            speed = published.events / max(published.seconds, 1e-3)
            bar.update(task, completed=published.rows, total=total, speed=speed)

        yield show


def _print_summary(dataset: Dataset, published: Published, stopped: bool) -> None:
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=True, markup=False)
    if published.complete and not (published.events or published.items or published.dropped):
        console.print(f"{dataset.name}: nothing left to publish, {published.rows:,} rows are done.")
        if dataset.files:
            console.print("--again publishes them again.")
        return
    what = _count(published.events, "event") + (f" and {_count(published.items, 'item')}" if published.items else "")
    speed = published.events / max(published.seconds, 1e-3)
    console.print(f"{dataset.name}: {what} published in {published.seconds:.1f} s ({speed:,.0f} events/s).")
    for reason, (count, example) in published.dropped.items():
        console.print(f"{count:,} not sent, {reason}; row {example.line:,}: {example.text}", style="yellow")
        console.print(f"  {example.detail}", style="yellow")
    if not published.complete:
        how = "Stopped" if stopped else "Ended"
        size = f" of {dataset.size:,}" if dataset.size else ""
        console.print(f"{how} after row {published.rows:,}{size}.")
        if dataset.files:
            console.print("The same command goes on there; with --again it begins anew.")


def _print_json(dataset: Dataset, published: Published, stopped: bool) -> None:
    import json

    dropped = {
        reason: {"count": count, "line": example.line, "text": example.text, "detail": example.detail}
        for reason, (count, example) in published.dropped.items()
    }
    counts = asdict(published) | {"dropped": dropped}
    click.echo(json.dumps({"source": dataset.name, "size": dataset.size, "stopped": stopped} | counts))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"
