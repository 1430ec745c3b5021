"""What pages say of items, and which must not be shown: kept in the store by the owner of partition 0.

The store says up to where the ``items`` topic is written there. Whoever becomes the owner reads the topic from there
once more, so nothing that the owner before did not write is missed, nor what a store that has gone back has lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

import confluent_kafka as ck

from contracts.events import InvalidEvent, Item, decode, encode
from infra import failpoints
from serving.store.postings import Page, page
from serving.store.store import Store
from streams.applying.outbox import Outbox
from streams.deadletters.letters import DeadLetters
from streams.learning.log import LearningLog

Partition = tuple[str, int]


class Pages:
    """Writes item records in the form that pages need.

    Parameters
    ----------
    store, log, outbox, letters
        Of this worker.
    topic : str
        Full name of ``items``.
    withheld : callable
        Item → whether it must not be shown now.
    refused : callable
        Told the reason of each dead letter.
    """

    def __init__(
        self,
        store: Store,
        log: LearningLog,
        outbox: Outbox,
        letters: DeadLetters,
        topic: str,
        withheld: Callable[[str], bool],
        refused: Callable[[str], None],
    ) -> None:
        self._store, self._log, self._outbox = store, log, outbox
        self._letters, self._topic, self._withheld, self._refused = letters, topic, withheld, refused
        self._epoch: int | None = None
        self._arrived: list[ck.Message] | None = None  # while what lies before them is read
        self._next: dict[Partition, int] = {}

    def put(self, messages: list[ck.Message]) -> None:
        """Take records as they arrive; written by the owner only."""
        if self._epoch is not None:
            self._write(messages)
        elif self._arrived is not None:
            self._arrived += messages

    def rest(self) -> None:
        """Write nothing: another worker does."""
        self._epoch = self._arrived = None

    def prepare(self) -> None:
        """Keep what arrives from now on, until :meth:`take_over`."""
        self._epoch, self._arrived = None, []

    def take_over(self, epoch: int, written: Mapping[Partition, int], missed: Iterable[ck.Message]) -> None:
        """Begin to write.

        Parameters
        ----------
        epoch : int
            Under which this worker owns partition 0.
        written : mapping
            What the store says: (topic, partition) → next offset.
        missed : iterable of confluent_kafka.Message
            Everything from there to what has arrived since :meth:`prepare`.
        """
        arrived = self._arrived or []
        self._epoch, self._arrived = epoch, None
        # Of the same partition numbers of other topics somebody else says how far they are applied.
        self._next = {place: offset for place, offset in written.items() if place[0] == self._topic}
        self._write([*missed, *arrived])

    def _write(self, messages: list[ck.Message]) -> None:
        epoch = self._epoch
        pages: dict[str, Page] = {}
        tombstones: list[ck.Message] = []
        for message in messages:
            place = message.topic(), message.partition()
            if message.offset() < self._next.get(place, 0):
                continue
            self._next[place] = message.offset() + 1
            item, error = decode_item(message)
            if item is not None:
                tombstones += [message] if message.value() is None else []
                pages[item.item] = page(item, self._withheld(item.item))
            elif error is not None:
                self._set_aside(message, error)
        written = dict(self._next)

        async def write() -> None:
            failpoints.before("items")
            if await self._outbox.call(self._store.write_metadata, list(pages.values()), epoch):
                for message in tombstones:
                    # Compaction takes a message without a value away, and with it what is to stay so in a replay.
                    explicit = encode(Item(message.key().decode(), deleted=True))
                    self._log.publish(message.topic(), message.partition(), message.key(), explicit)
                # What they introduce stands in the log before they count as handled.
                await self._outbox.call(self._log.flush)
                failpoints.after("items")
                await self._outbox.call(self._store.write_handled, written, epoch)

        self._outbox.put(write)

    def _set_aside(self, message: ck.Message, error: InvalidEvent) -> None:
        self._refused(error.reason)
        self._letters.send(
            message.topic(), message.partition(), message.offset(), message.key(), message.value(),
            message.timestamp()[1], error.reason, error.detail,
        )  # fmt: skip


def decode_item(message: ck.Message) -> tuple[Item | None, InvalidEvent | None]:
    """Return the item of a record, or why there is none."""
    try:
        if message.value() is None and message.key():
            # A tombstone is no memory once it is compacted; taken as the explicit record that it stands for.
            return Item(item=message.key().decode(), deleted=True), None
        return decode(Item, message.value(), message.key(), message.timestamp()[1]), None
    except InvalidEvent as error:
        return None, error
    except UnicodeDecodeError as error:
        return None, InvalidEvent("bad id", str(error))
