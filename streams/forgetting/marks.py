"""Who was forgotten, and which messages are to be skipped for it: for live workers, replays and dead letters alike."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any

from contracts.marks import Mark, decode_mark, person, salt_of
from contracts.topics import CLICKS, IMPRESSIONS, MARKS, RATINGS, USERS, topic_name
from infra.errors import BrokerError
from infra.settings import Settings
from models.users import Rebirth
from streams.kafka.admin import topic_ids
from streams.kafka.whole import read_whole

BY_USER = (CLICKS, RATINGS, IMPRESSIONS, USERS)
"""The topics whose messages of a forgotten person are skipped."""
_REMEMBERED = 100_000


class Marks:
    """The marks that were read so far, in the order of their topic.

    Parameters
    ----------
    settings : Settings
    ids : mapping of str to str
        Full names of at least the topics of :data:`BY_USER` → Kafka's topic ids.

    Attributes
    ----------
    position : int
        Offset after the last record read.
    salt : bytes or None
        Of the hashes; None before the first mark was ever made.
    """

    def __init__(self, settings: Settings, ids: Mapping[str, str]) -> None:
        names = {topic.name: topic_name(topic, settings.kafka.prefix, settings.namespace) for topic in BY_USER}
        self.ids = {name: ids[name] for name in names.values()}
        self._clicks, self._ratings = names[CLICKS.name], names[RATINGS.name]
        self._people: dict[bytes, Mark] = {}
        self.position = 0
        self.salt: bytes | None = None
        self._key: Callable[[str], bytes] = lru_cache(maxsize=_REMEMBERED)(lambda user: person(user, self.salt or b""))

    def __bool__(self) -> bool:
        """Return whether anybody was ever forgotten."""
        return bool(self._people)

    @classmethod
    def read(cls, settings: Settings) -> Marks:
        """Return the marks as they stand in Kafka now.

        Raises
        ------
        BrokerError
            When Kafka does not answer, a topic is missing, or a mark is of a newer version.
        """
        prefix, namespace = settings.kafka.prefix, settings.namespace
        marks = cls(settings, topic_ids(settings, [topic_name(topic, prefix, namespace) for topic in BY_USER]))
        marks.hear(read_whole(settings, topic_name(MARKS, prefix, namespace)))
        return marks

    def hear(self, messages: Iterable[Any]) -> None:
        """Take over messages of the topic of marks, in their order.

        Raises
        ------
        BrokerError
            When one cannot be read: going on without it might remember somebody.
        """
        for message in messages:
            self.position = message.offset() + 1
            key, value = message.key() or b"", message.value() or b""
            try:
                salt = salt_of(key)
                if salt is None:
                    self._put(key, decode_mark(value))
            except ValueError as error:
                raise BrokerError(f"{message.topic()}, offset {message.offset()}: {error}") from error
            self.salt = self.salt or salt

    def of(self, user: str) -> Mark | None:
        """Return a user's newest mark."""
        return self._people.get(self._key(user)) if self._people else None

    def skips(self, user: str, topic: str, partition: int, offset: int, stamp: int) -> bool:
        """Return whether a message is to be skipped, because its user was forgotten after it.

        Where offsets say nothing, on another partition than the user's own or in a topic that was created anew, the
        record's time stamp decides.

        Parameters
        ----------
        user : str
        topic : str
            Full name.
        partition, offset : int
            Where the message stands.
        stamp : int
            Its own time stamp in Kafka, ms since the epoch.
        """
        mark = self.of(user)
        if mark is None:
            return False
        end = mark.ends.get(topic)
        if end is not None and partition == mark.partition and end.topic_id == self.ids.get(topic):
            return offset < end.offset
        return stamp <= mark.time

    def rebirth(self, user: str) -> Rebirth | None:
        """Return how a user starts who was forgotten, None for all others."""
        mark = self.of(user)
        if mark is None:
            return None
        return Rebirth(mark.generation, (self._last(mark, self._clicks), self._last(mark, self._ratings)))

    def discard_names(self) -> None:
        """Let go of the ids that are remembered to save their hashing."""
        self._key.cache_clear()  # type: ignore[attr-defined]

    def _put(self, key: bytes, mark: Mark) -> None:
        known = self._people.get(key)
        # Two namespaces may act on one wish at the same time: the first mark counts for both.
        if known is None or mark.generation > known.generation:
            self._people[key] = mark

    def _last(self, mark: Mark, topic: str) -> int:
        end = mark.ends.get(topic)
        return end.offset - 1 if end is not None and end.topic_id == self.ids[topic] else -1


def now_ms() -> int:
    """Return the time, ms since the epoch."""
    return time.time_ns() // 1_000_000
