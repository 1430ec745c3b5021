"""The ``items`` topic: what is known of items, read whole by every worker.

A record decides at once whether its item may be shown and what pages say of it. An item that the model does not
know yet, or knows with other content, is introduced through the learning log, so that it gets the same row and the same
place beside its like on every worker. One that was introduced before is not again when the worker starts anew: if the
model does not list it, it has left for idleness.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

import confluent_kafka as ck
import msgspec
import orjson

from contracts.events import InvalidEvent, Item, decode
from contracts.learning import Introduction, introduction
from models.content.terms import digest, introduce
from models.engine import Engine
from serving.store import Store
from streams.deadletters import DeadLetters
from streams.learning import LearningLog
from streams.outbox import Outbox

_INTRODUCED_AT_ONCE = 1000  # with 128 terms each they stay below the broker's default of 1 MB
# What was sent so long ago has come back, and may since have left the model again.
_ON_ITS_WAY_S = 60.0


class Shelf:
    """Takes over item records.

    Parameters
    ----------
    engine, store, log, outbox, letters
        Of this worker.
    refused : callable
        Told the reason of each dead letter.
    """

    def __init__(
        self,
        engine: Engine,
        store: Store,
        log: LearningLog,
        outbox: Outbox,
        letters: DeadLetters,
        refused: Callable[[str], None],
    ) -> None:
        self._engine, self._store, self._log, self._outbox = engine, store, log, outbox
        self._letters, self._refused = letters, refused
        self._sent: dict[str, tuple[int, float]] = {}  # item → digest on its way through the log, since when
        self._news: dict[str, Introduction] = {}
        self._recovered = False
        self._handled: dict[tuple[str, int], int] = {}

    def resume(self, handled: Mapping[tuple[str, int], int]) -> None:
        """Say which records an earlier worker has written to Redis: (topic, partition) → next offset."""
        self._handled = dict(handled)

    def put(self, messages: list[ck.Message]) -> None:
        """Take over records in their order."""
        now = time.time_ns() // 1_000_000
        entries: dict[str, tuple[str, bytes, bool]] = {}
        for message in messages:
            handled = self._is_handled(message)
            item = self._item(message, handled)
            if item is None:
                continue
            withheld = self._engine.availability.put(item, now)
            self._engine.labels.put(item)
            if not handled:
                entries[item.item] = (item.item, page(item), withheld)
            if self._is_news(item, handled):
                self._news[item.item] = introduce(item)
            else:
                self._news.pop(item.item, None)
        if self._recovered:
            self._introduce()
        if entries:
            self._write(list(entries.values()), dict(self._handled))

    def recovered(self) -> None:
        """Say that all records of the topic have been put: only now is it known which of an item's is its newest."""
        self._recovered = True
        self._introduce()

    def expire(self) -> None:
        """Withhold the items whose time is over."""
        over = self._engine.availability.expire(time.time_ns() // 1_000_000)
        if over:

            async def write() -> None:
                await self._outbox.call(self._store.withhold, over)

            self._outbox.put(write)

    def _write(self, entries: list[tuple[str, bytes, bool]], handled: dict[tuple[str, int], int]) -> None:
        async def write() -> None:
            await self._outbox.call(self._store.write_metadata, entries)
            await self._outbox.call(self._log.flush)
            await self._outbox.call(self._store.write_applied, handled)

        self._outbox.put(write)

    def _is_handled(self, message: ck.Message) -> bool:
        place = message.topic(), message.partition()
        if message.offset() < self._handled.get(place, 0):
            return True
        self._handled[place] = message.offset() + 1
        return False

    def _is_news(self, item: Item, handled: bool) -> bool:
        """Return whether the model does not list the item, or knows it with other content."""
        if item.deleted:
            return False
        items = self._engine.items
        listed = items.catalogue.lists(item.item)
        learned = int(items.content.digests[items.catalogue.row(item.item)]) if listed else None
        sent, since = self._sent.get(item.item, (learned, 0.0))
        if sent == learned or time.monotonic() - since > _ON_ITS_WAY_S:
            self._sent.pop(item.item, None)
            sent = learned
        if not listed and handled:
            return False
        # What was sent is on its way; what the model holds may be older than that.
        return sent != digest(item)

    def _introduce(self) -> None:
        news = list(self._news.values())
        for start in range(0, len(news), _INTRODUCED_AT_ONCE):
            self._log.append(introduction(news[start : start + _INTRODUCED_AT_ONCE]))
        now = time.monotonic()
        self._sent.update((each.item, (each.digest, now)) for each in news)
        self._news.clear()

    def _item(self, message: ck.Message, handled: bool) -> Item | None:
        try:
            if message.value() is None and message.key():
                # A tombstone is no memory once it is compacted; taken as the explicit record that it stands for.
                return Item(item=message.key().decode(), deleted=True)
            return decode(Item, message.value(), message.key(), message.timestamp()[1])
        except (InvalidEvent, UnicodeDecodeError) as error:
            reason, detail = (error.reason, error.detail) if isinstance(error, InvalidEvent) else ("bad id", str(error))
            if handled:
                return None
            self._refused(reason)
            self._letters.send(
                message.topic(), message.partition(), message.offset(), message.key(), message.value(),
                message.timestamp()[1], reason, detail,
            )  # fmt: skip
            return None


def page(item: Item) -> bytes:
    """Return what pages show of an item, as it stands in the store."""
    entry = {key: value for key, value in msgspec.to_builtins(item).items() if key not in ("text", "vector")}
    return orjson.dumps(entry)
