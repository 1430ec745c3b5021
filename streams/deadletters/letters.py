"""Dead letters: what could not be used, kept as it came, with where it came from and what was wrong with it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec
from confluent_kafka import Message

from contracts.topics import DEADLETTERS, topic_name
from infra.settings import Settings
from streams.forgetting.marks import Marks
from streams.kafka.producer import produce
from streams.kafka.whole import read_whole

# A letter is its message and headers of ours, and must still be a message of 1 MB: what is longer is cut.
_MAX_VALUE = 900_000  # bytes
_MAX_KEY = 10_000  # bytes
_MAX_DETAIL = 4_000  # characters; the end of a traceback says more than its beginning


@dataclass(frozen=True)
class DeadLetter:
    """A message that could not be used.

    Parameters
    ----------
    topic, partition, offset : str, int, int
        Where it stood.
    key, value : bytes or None
        As they came.
    time : int
        Its own time stamp in Kafka, ms since the epoch.
    reason, detail : str
        The short name of what is wrong, for counting, and the words for it.
    seen : int
        When it was set aside, ms since the epoch.
    """

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    time: int
    reason: str
    detail: str
    seen: int

    @property
    def source(self) -> str:
        """Where it stood, as one name: ``TOPIC/PARTITION/OFFSET``."""
        return f"{self.topic}/{self.partition}/{self.offset}"


class DeadLetters:
    """Writes dead letters.

    Parameters
    ----------
    producer : confluent_kafka.Producer
        The caller's own: it flushes and learns of failures.
    settings : Settings
        With the topics' prefix.
    """

    def __init__(self, producer: Any, settings: Settings) -> None:
        self._producer = producer
        self._topic = topic_name(DEADLETTERS, settings.kafka.prefix, settings.namespace)

    def send(
        self,
        topic: str,
        partition: int,
        offset: int,
        key: bytes | None,
        value: bytes | None,
        timestamp: int,
        reason: str,
        detail: str,
    ) -> None:
        """Set a message aside.

        Parameters
        ----------
        topic, partition, offset : str, int, int
            Where it stands.
        key, value : bytes or None
            As they came.
        timestamp : int
            Its own, ms since the epoch.
        reason, detail : str
            Of :class:`contracts.events.InvalidEvent`, or likewise.

        Raises
        ------
        BrokerError
            When Kafka takes no more messages.
        """
        detail = detail[-_MAX_DETAIL:]
        if value and len(value) > _MAX_VALUE:
            detail += f" (the first {_MAX_VALUE:,} of {len(value):,} bytes are kept)"
        headers = {
            "topic": topic,
            "partition": str(partition),
            "offset": str(offset),
            "reason": reason,
            "error": detail,
            "time": str(timestamp),
        }
        produce(self._producer, self._topic, key and key[:_MAX_KEY], value and value[:_MAX_VALUE], headers=headers)


def read(settings: Settings, limit: int | None = None) -> Iterator[DeadLetter]:
    """Yield the dead letters from the oldest that is kept to the newest of this moment.

    Those of people who were forgotten since are left out, whether the key or the message in the letter names them.

    Parameters
    ----------
    settings : Settings
        With the broker's address and the topics' prefix.
    limit : int, optional
        Stop after so many.

    Raises
    ------
    BrokerError
        When the broker does not answer, or has no such topic.
    """
    topic = topic_name(DEADLETTERS, settings.kafka.prefix, settings.namespace)
    marks = Marks.read(settings)
    letters = map(_letter, read_whole(settings, topic))
    yield from islice((letter for letter in letters if not _is_past(marks, letter)), limit)


class _Named(msgspec.Struct):
    user: str | int = ""


def _is_past(marks: Marks, letter: DeadLetter) -> bool:
    """Return whether a letter came before somebody it names was forgotten."""
    if not marks:
        return False
    names = {(letter.key or b"").decode("utf-8", "replace")}
    with suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        names.add(str(msgspec.json.decode(letter.value or b"", type=_Named).user))
    return any(marks.skips(name, letter.topic, letter.partition, letter.offset, letter.time) for name in names)


def _letter(message: Message) -> DeadLetter:
    seen = message.timestamp()[1]
    headers = {name: (value or b"").decode("utf-8", "replace") for name, value in message.headers() or ()}
    return DeadLetter(
        topic=headers.get("topic", ""),
        partition=_number(headers.get("partition"), -1),
        offset=_number(headers.get("offset"), -1),
        key=message.key(),
        value=message.value(),
        time=_number(headers.get("time"), seen),
        reason=headers.get("reason", "unknown"),
        detail=headers.get("error", ""),
        seen=seen,
    )


def _number(text: str | None, otherwise: int) -> int:
    """Read a header that another program may have written."""
    return int(text) if text and text.isdecimal() else otherwise
