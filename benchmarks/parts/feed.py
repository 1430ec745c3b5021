"""A data set, published piece by piece, so that there is input for every disturbance however long each takes."""

from __future__ import annotations

import threading
import time
from itertools import islice

from contracts.events import Event
from evaluation.datasets import open_dataset
from evaluation.rows import Dropped
from infra.settings import Settings
from streams.kafka.producer import EventProducer

_SLICE_S = 0.02


class Feed:
    """Publishes a data set in as many pieces as are asked for.

    Parameters
    ----------
    settings : Settings
        With the broker's address.
    data : str
        A data set's folder, or JSON lines.
    limit : int or None
        Events, at most.
    pieces : int
        How often :meth:`halves` will be called, and once more for the rest.
    """

    def __init__(self, settings: Settings, data: str, limit: int | None, pieces: int) -> None:
        dataset = open_dataset(data)
        rows = (row for row in dataset.events() if not isinstance(row, Dropped))
        self._events: list[Event] = list(islice(rows, limit))
        self._producer = EventProducer(settings)
        self._left = pieces
        self._trickle: threading.Thread | None = None
        self._items: list[Event] = list(dataset.items())

    def halves(self) -> tuple[list[Event], list[Event]]:
        """Return the next piece in two halves; each begins with items."""
        halves: tuple[list[Event], list[Event]] = ([], [])
        for stock in (self._items, self._events):
            n = len(stock) // max(1, self._left)
            halves[0].extend(stock[: n // 2])
            halves[1].extend(stock[n // 2 : n])
            del stock[:n]
        self._left -= 1
        return halves

    def publish(self, events: list[Event]) -> None:
        """Publish events at once, and wait until Kafka has them."""
        for event in events:
            self._producer.publish(event)
        self._producer.flush()

    def trickle(self, events: list[Event], seconds: float) -> None:
        """Publish events one after the other within some seconds, beside the caller."""
        self._trickle = threading.Thread(target=self._spread, args=(events, seconds), daemon=True)
        self._trickle.start()

    def settle(self) -> None:
        """Wait until all that was given to :meth:`trickle` is in Kafka."""
        if self._trickle:
            self._trickle.join()
        self._producer.flush(120.0)

    def rest(self) -> None:
        """Publish what is left."""
        self.settle()
        self.publish(self._items + self._events)
        self._items, self._events = [], []

    def _spread(self, events: list[Event], seconds: float) -> None:
        began = time.monotonic()
        for number, event in enumerate(events):
            ahead = began + number / len(events) * seconds - time.monotonic()
            if ahead > _SLICE_S:
                time.sleep(ahead)
            self._producer.publish(event)
