"""Files → events in Kafka: paced, checked before they are sent, and from where an earlier call ended."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import islice

from contracts.events import Event, InvalidEvent, Item, decode, encode
from evaluation.datasets import Dataset, Dropped, Row
from streams.kafka.producer import EventProducer, key_of
from streams.publishing.ledger import Ledger, Mark

_REMEMBER_S = 1.0  # between two marks in the ledger: what a crash publishes again
_SHOW_S = 0.1  # between two reports of progress
_SLICE_S = 0.005  # events of this time are sent together when a rate is kept
_ASK_S = 0.05  # how long a wish to stop may go unheard
_LATE_S = 0.5  # what is later than this is not made up for: a burst would be another load than the one asked for


@dataclass
class Published:
    """What a call of :func:`publish` did.

    Parameters
    ----------
    events, items : int
        How many were sent; all are acknowledged once :func:`publish` has returned.
    rows : int
        Rows of the data set that are done, those of earlier calls included.
    dropped : dict of str to (int, Dropped)
        Reason → how many rows were not sent for it, and the first of them.
    seconds : float
        How long it took.
    complete : bool
        Whether no row is left.
    """

    events: int = 0
    items: int = 0
    rows: int = 0
    dropped: dict[str, tuple[int, Dropped]] = field(default_factory=dict)
    seconds: float = 0.0
    complete: bool = False

    def drop(self, row: Dropped) -> None:
        """Count a row that was not sent."""
        count, first = self.dropped.get(row.reason, (0, row))
        self.dropped[row.reason] = count + 1, first


def publish(
    dataset: Dataset,
    producer: EventProducer,
    *,
    rate: float | None = None,
    limit: int | None = None,
    start: int = 0,
    ledger: Ledger | None = None,
    again: bool = False,
    on_progress: Callable[[Published], None] = lambda published: None,
    stop: Callable[[], bool] = lambda: False,
) -> Published:
    """Publish a data set: its items, then its events in their order.

    Parameters
    ----------
    dataset : Dataset
    producer : EventProducer
    rate : float, optional
        Events per second; as fast as Kafka takes them when not given. Items are not paced.
    limit : int, optional
        Stop after so many events.
    start : int
        Rows of the data set to pass over; those that the ledger says are done are passed over anyway. Items are sent
        only when none is.
    ledger : Ledger, optional
        Where it is remembered how far the data set got.
    again : bool
        Begin anew, whatever the ledger says.
    on_progress : callable
        Called with the counts so far, about ten times a second.
    stop : callable
        Asked between two rows; ends the call in order once it says so. A ``KeyboardInterrupt`` does too, but may come
        between a row and its count: that row is then published again by the next call.

    Returns
    -------
    Published

    Raises
    ------
    BrokerError
        When Kafka does not acknowledge; the ledger then holds what it had acknowledged before.
    """
    mark = ledger.load() if ledger and not again else Mark()
    if mark.complete:
        return Published(rows=mark.rows, complete=True)
    run = _Run(dataset.name, producer, ledger, mark, max(start, mark.rows), on_progress)
    try:
        complete = _pass_on(dataset, run, _Pace(rate, stop), limit)
    except KeyboardInterrupt:
        complete = False
    return run.finish(complete)


def _pass_on(dataset: Dataset, run: _Run, pace: _Pace, limit: int | None) -> bool:
    """Send items and events until the end, the limit or the wish to stop; return whether it was the end."""
    published = run.published
    if not published.rows:
        for number, item in enumerate(dataset.items(), 1):
            if pace.stop():
                return False
            run.send(item, number)
            run.report()
    rows = islice(dataset.events(), published.rows, None)
    while published.events != limit and not pace.stop():
        row = next(rows, None)
        if row is None:
            return True
        run.take(row)
        run.report()
        pace.wait()
    return False


class _Run:
    """One call of :func:`publish`: what it has sent, and when that is remembered and reported."""

    def __init__(
        self,
        source: str,
        producer: EventProducer,
        ledger: Ledger | None,
        mark: Mark,
        start: int,
        on_progress: Callable[[Published], None],
    ) -> None:
        self.published = Published(rows=start)
        self._source, self._producer, self._ledger, self._mark = source, producer, ledger, mark
        self._on_progress = on_progress
        self._began = time.monotonic()
        self._next_report, self._next_mark = self._began, self._began + _REMEMBER_S

    def take(self, row: Row) -> None:
        """Send or drop the next row."""
        number = self.published.rows + 1
        if isinstance(row, Dropped):
            self.published.drop(row)
        else:
            self.send(row, number)
        self.published.rows = number

    def send(self, event: Event, number: int) -> None:
        """Send an event that a worker will accept; ``number`` says where it stands."""
        try:
            decode(type(event), encode(event), key_of(event), time.time_ns() // 1_000_000)
        except InvalidEvent as error:
            self.published.drop(Dropped.of(error.reason, number, encode(event), error.detail))
            return
        self._producer.publish(event)
        if isinstance(event, Item):
            self.published.items += 1
        else:
            self.published.events += 1

    def report(self) -> None:
        """Say how far it is, and remember it, when it is time to."""
        now = time.monotonic()
        if now >= self._next_report:
            self._next_report = now + _SHOW_S
            self.published.seconds = now - self._began
            self._on_progress(self.published)
        if now >= self._next_mark:
            self._remember(complete=False)
            self._next_mark = time.monotonic() + _REMEMBER_S

    def finish(self, complete: bool) -> Published:
        """Wait for the last acknowledgements, remember, and return the summary."""
        self._remember(complete)
        self.published.complete = complete
        self.published.seconds = time.monotonic() - self._began
        self._on_progress(self.published)
        return self.published

    def _remember(self, complete: bool) -> None:
        # Only after the flush: what the ledger says is done must be in Kafka, every row up to there.
        self._producer.flush()
        if self._ledger:
            done = self.published
            self._ledger.save(Mark(self._source, done.rows, self._mark.events + done.events, complete))


class _Pace:
    """Keeps a rate by a short wait every few milliseconds, not one for each event.

    Parameters
    ----------
    rate : float or None
        Events per second; ``None`` never waits.
    stop : callable
        Ends a wait once it says so.
    """

    def __init__(self, rate: float | None, stop: Callable[[], bool]) -> None:
        self.stop = stop
        self._step = 1 / rate if rate else 0.0
        self._due = 0.0

    def wait(self) -> None:
        """Wait until the next event is due."""
        if not self._step:
            return
        now = time.monotonic()
        self._due = max((self._due or now) + self._step, now - _LATE_S)
        if self._due - now < _SLICE_S:
            return
        while (ahead := self._due - time.monotonic()) > 0 and not self.stop():
            time.sleep(min(ahead, _ASK_S))
