"""Events that lie on another partition than their user's, forwarded to it: ``kafka.rekey``.

A worker that comes to such an event neither applies it nor sets it aside, but sends it as it is, under its user, to a
topic of its namespace with the same number of partitions. The group reads that like the original, so the owner of the
user's partition applies it. The barrier flushes the same producer before the original's offsets become durable: nothing
is lost. A crash before that forwards an event twice; the second is recognised by its identity.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streams.learning.log import LearningLog

SOURCE = "source"
"""Header of what was forwarded: ``TOPIC/PARTITION/OFFSET`` of the original."""
LONGEST = 900_000
"""Bytes of a value that can be forwarded: with our header it must still be a message of 1 MB."""


@dataclass(slots=True)
class Stray:
    """A message on another partition than its user's."""

    user: str
    message: Any


class Rekeying:
    """Forwards strays.

    Parameters
    ----------
    log : LearningLog
        Through whose producer they go.
    topics : mapping of str to str
        See :func:`streams.kafka.producer.rekeyed_topics`.
    home : callable
        User → his partition.
    """

    def __init__(self, log: LearningLog, topics: Mapping[str, str], home: Callable[[str], int]) -> None:
        self._log, self._topics, self._home = log, topics, home
        self._rekeyed = frozenset(topics.values())

    def forwards(self, topic: str) -> bool:
        """Return whether a topic's strays are forwarded."""
        return topic in self._topics

    def has_forwarded(self, topic: str) -> bool:
        """Return whether a topic holds what was forwarded."""
        return topic in self._rekeyed

    def forward(self, strays: Sequence[Stray]) -> None:
        """Hand messages to the producer; they are durable after :meth:`LearningLog.flush`."""
        for stray in strays:
            message = stray.message
            source = f"{message.topic()}/{message.partition()}/{message.offset()}"
            self._log.publish(
                self._topics[message.topic()], self._home(stray.user), stray.user.encode(), message.value(),
                timestamp=message.timestamp()[1], headers=[(SOURCE, source.encode())],
            )  # fmt: skip
