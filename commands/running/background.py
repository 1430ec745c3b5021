"""Publishing beside something else: in a thread, with counts to look at."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor, wait
from types import TracebackType
from typing import Self

from evaluation.datasets import Dataset, DatasetError
from infra.errors import HeadraceError
from infra.settings import Settings
from streams.kafka.producer import EventProducer
from streams.publishing.ledger import Ledger
from streams.publishing.publish import Published, publish


class Publishing:
    """Publishes a data set from where an earlier call ended, until it is done or the block ends.

    Parameters
    ----------
    dataset : Dataset
    settings : Settings
        With the broker's address.
    rate : float or None
        Events per second; None is as fast as possible.
    limit : int or None
        Stop after so many events.

    Attributes
    ----------
    name : str
        Of the data set.
    size : int or None
        Rows of the data set, or up to which the limit reaches; None when that cannot be known.
    counts : Published
        So far.
    """

    def __init__(self, dataset: Dataset, settings: Settings, rate: float | None, limit: int | None) -> None:
        self.name = dataset.name
        self._dataset, self._rate, self._limit = dataset, rate, limit
        self._producer = EventProducer(settings)
        self._ledger = Ledger.of(settings, dataset.files, self._producer.cluster())
        first = self._ledger.load().rows if self._ledger else 0
        self.size = min(dataset.size, first + limit) if dataset.size and limit else dataset.size
        self.counts = Published(rows=first)
        self._stop = threading.Event()
        self._thread = ThreadPoolExecutor(1)

    def __enter__(self) -> Self:
        self._began = time.monotonic()
        self._end = self._thread.submit(
            publish,
            self._dataset,
            self._producer,
            rate=self._rate,
            limit=self._limit,
            ledger=self._ledger,
            on_progress=self._note,
            stop=self._stop.is_set,
        )
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.shutdown()

    @property
    def done(self) -> bool:
        """Whether nothing more will be published."""
        return self._end.done()

    @property
    def seconds(self) -> float:
        """Time since the beginning."""
        return time.monotonic() - self._began

    @property
    def speed(self) -> float:
        """Events per second so far."""
        return self.counts.events / max(self.counts.seconds, 1e-3)

    def wait(self, seconds: float | None) -> None:
        """Wait for the end, at most so many seconds."""
        wait([self._end], seconds)

    def finish(self) -> Published:
        """Publish no more, and return what was published.

        Raises
        ------
        HeadraceError
            When the data set cannot be read, or Kafka does not take it.
        """
        self._stop.set()
        try:
            return self._end.result()
        except DatasetError as error:
            raise HeadraceError(str(error)) from error

    def _note(self, published: Published) -> None:
        self.counts = published
