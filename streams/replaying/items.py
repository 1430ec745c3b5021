"""What is known of items: the newest record of each, read before the events.

The ``items`` topic is compacted, so of an item no more than its newest record can be relied on: that alone is used, and
two replays agree whether Kafka has compacted meanwhile or not. An item is introduced by it with its first event, or
at the time of its record where this comes first. What is hidden or deleted now is so at the end.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from contracts.learning import Introduction
from infra.settings import Settings
from models.content.terms import introduce
from models.engine import Engine
from serving.store.postings import Page, page
from streams.kafka.whole import read_whole
from streams.replaying.merge import ITEM, Entries, entries
from streams.replaying.owner import Owner
from streams.replaying.plan import Plan
from streams.stewarding.pages import decode_item

_WRITTEN_AT_ONCE = 1000


class Items:
    """The newest records of all items.

    Attributes
    ----------
    records : dict of str to Introduction
        What the item model is told of each that is not deleted.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._newest: dict[str, tuple[int, int, int]] = {}  # item → part, offset, time of its record
        self.records: dict[str, Introduction] = {}

    def read(self, settings: Settings, engine: Engine, owner: Owner) -> None:
        """Read the topic up to where the plan ends; what pages show of items goes to the store.

        Raises
        ------
        BrokerError
            When the broker does not answer.
        """
        parts = {(part.topic, part.partition): n for n, part in enumerate(self._plan.parts) if part.kind == "items"}
        topic = next(topic for topic, _ in parts)
        pages: dict[str, Page] = {}
        now = time.time_ns() // 1_000_000
        for message in read_whole(settings, topic):
            number = parts[topic, message.partition()]
            if message.offset() >= self._plan.parts[number].end:
                continue
            item, _ = decode_item(message)
            if item is None:
                continue  # the workers have set it aside
            withheld = engine.availability.put(item, now)
            engine.labels.put(item)
            pages[item.item] = page(item, withheld)
            self._newest[item.item] = number, message.offset(), message.timestamp()[1]
            if item.deleted:
                self.records.pop(item.item, None)
            else:
                self.records[item.item] = introduce(item)
            if len(pages) >= _WRITTEN_AT_ONCE:
                owner.write_pages(list(pages.values()))
                pages.clear()
        if pages:
            owner.write_pages(list(pages.values()))

    def entries(self, positions: Sequence[int]) -> list[Entries]:
        """Return the records as entries, part by part, from these offsets on."""
        by_part: dict[int, list[tuple[int, int, str]]] = {}
        for item, (number, offset, stamp) in self._newest.items():
            if item in self.records and offset >= positions[number]:
                by_part.setdefault(number, []).append((offset, stamp, item))
        return [_of_part(number, sorted(found)) for number, found in sorted(by_part.items())]


def _of_part(number: int, found: list[tuple[int, int, str]]) -> Entries:
    offsets, times, items = (list(column) for column in zip(*found, strict=True))
    return entries(number, ITEM, offsets, times, [True] * len(items), items)
