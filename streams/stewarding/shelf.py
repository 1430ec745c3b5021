"""The ``items`` topic as the model sees it: read whole by every worker.

A record decides at once whether its item may be shown. An item that the model does not know yet, or knows with other
content, is introduced through the learning log, so that it gets the same row and the same place beside its like on
every worker. One that was introduced before is not again when the worker starts anew: if the model does not list it, it
has left for idleness. Introducing is for the owner of partition 0; the others keep what they have not yet read back.
What pages say of items is :mod:`streams.stewarding.pages`' part.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import confluent_kafka as ck

from contracts.learning import Introduction, introduction
from models.content.terms import digest, introduce
from models.engine import Engine
from streams.learning.log import LearningLog
from streams.stewarding.pages import Pages, decode_item

_INTRODUCED_AT_ONCE = 1000  # with 128 terms each they stay below the broker's default of 1 MB
# What was sent so long ago has come back, and may since have left the model again.
_ON_ITS_WAY_S = 60.0


class Shelf:
    """Takes over item records.

    Parameters
    ----------
    engine, log, pages
        Of this worker.
    steward : callable
        Returns the epoch under which this worker owns partition 0, None where it does not.
    """

    def __init__(self, engine: Engine, log: LearningLog, pages: Pages, steward: Callable[[], int | None]) -> None:
        self._engine, self._log, self._pages, self._steward = engine, log, pages, steward
        self._sent: dict[str, tuple[int, float]] = {}  # item → digest on its way through the log, since when
        self._news: dict[str, Introduction] = {}
        self._handled: dict[tuple[str, int], int] = {}

    def resume(self, handled: Mapping[tuple[str, int], int]) -> None:
        """Say which records an earlier worker has introduced: (topic, partition) → next offset."""
        self._handled = dict(handled)

    def put(self, messages: list[ck.Message]) -> None:
        """Take over records in their order."""
        now = time.time_ns() // 1_000_000
        for message in messages:
            item, _ = decode_item(message)
            if item is None:
                continue
            self._engine.availability.put(item, now)
            self._engine.labels.put(item)
            handled = message.offset() < self._handled.get((message.topic(), message.partition()), 0)
            if self._is_news(item.item, digest(item), handled) and not item.deleted:
                self._news[item.item] = introduce(item)
            else:
                self._news.pop(item.item, None)
        if self._steward() is not None:
            self.introduce()
        self._pages.put(messages)

    def introduce(self) -> None:
        """Introduce what the model does not know; in a worker that is not to, forget what it has learned meanwhile."""
        self._news = {item: news for item, news in self._news.items() if self._is_news(item, news.digest, False)}
        if self._steward() is None:
            return
        news = list(self._news.values())
        for start in range(0, len(news), _INTRODUCED_AT_ONCE):
            self._log.append(introduction(news[start : start + _INTRODUCED_AT_ONCE]))
        now = time.monotonic()
        self._sent.update((each.item, (each.digest, now)) for each in news)
        self._news.clear()

    def _is_news(self, item: str, content: int, handled: bool) -> bool:
        """Return whether the model does not list an item, or knows it with other content."""
        items = self._engine.items
        listed = items.catalogue.lists(item)
        learned = int(items.content.digests[items.catalogue.row(item)]) if listed else None
        sent, since = self._sent.get(item, (learned, 0.0))
        if sent == learned or time.monotonic() - since > _ON_ITS_WAY_S:
            self._sent.pop(item, None)
            sent = learned
        if not listed and handled:
            return False
        # What was sent is on its way; what the model holds may be older than that.
        return sent != content
