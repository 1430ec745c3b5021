"""Writing the records of items: whole, in part, and that an item is gone."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from contracts.events import Event, Item
from contracts.tokens import Place
from serving.reading.reader import Reader
from serving.reading.waiting import Waiting
from serving.writing import bodies
from serving.writing.locks import Locks
from serving.writing.publisher import Noting, Publisher, Unpublished

_WAIT_S = 1.0


class UnknownItem(Exception):
    """The catalogue has no such item; the text says what to do."""


class Catalogue:
    """Writes items' records, those of one item one after the other.

    Parameters
    ----------
    reader : Reader
        Tells what is known of an item.
    publisher : Publisher
        Where records go.
    waiting : Waiting
        Tells when what is known is at least what was written here last.
    """

    def __init__(self, reader: Reader, publisher: Publisher, waiting: Waiting) -> None:
        self._reader, self._waiting = reader, waiting
        self._locks, self._noting = Locks(), Noting(publisher)

    async def publish(self, events: Sequence[Event]) -> list[Place]:
        """Publish many records; see :class:`serving.writing.publisher.Publisher`."""
        return await self._noting.publish(events)

    async def close(self) -> None:
        """Do nothing: whoever made the publisher closes it."""

    async def get(self, item: str) -> dict[str, Any]:
        """Return the record of an item, as the workers have seen it last.

        Raises
        ------
        UnknownItem
        """
        record = await self._reader.record(item)
        if record is None:
            raise UnknownItem(f"item {item[:80]!r} is not in the catalogue; PUT makes it known")
        return record

    async def put(self, item: str, fields: Mapping[str, Any]) -> list[Place]:
        """Replace the record of an item, or make it known.

        Raises
        ------
        InvalidEvent, Unpublished
        """
        record = made(item, fields)
        async with self._locks.of(item):
            return await self._noting.publish([record])

    async def patch(self, item: str, change: Mapping[str, Any]) -> list[Place]:
        """Change some fields of an item's record (JSON Merge Patch).

        Raises
        ------
        UnknownItem, InvalidEvent, Unpublished
        """
        async with self._locks.of(item):
            # What is merged with must hold what was written here before.
            if not await self._waiting.until(self._noting.last, _WAIT_S):
                raise Unpublished("the last records of items are not applied yet; does a worker run?")
            return await self._noting.publish([made(item, bodies.merged(await self.get(item), change))])

    async def delete(self, item: str) -> list[Place]:
        """Delete an item: it leaves all lists, now and in every replay.

        Raises
        ------
        Unpublished
        """
        return await self.put(item, {"deleted": True})


def made(item: str, fields: Mapping[str, Any]) -> Item:
    """Return the record of an item that these fields say.

    Raises
    ------
    InvalidEvent
    """
    return bodies.one(Item, fields, "item", item, time.time_ns() // 1_000_000)
