"""Dead letters back into their topics: repaired where that needs no guess, or as somebody has corrected them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from contracts.events import InvalidEvent, decode
from infra.errors import HeadraceError
from infra.settings import Settings
from streams.deadletters.letters import DeadLetter, read
from streams.kafka.producer import EventProducer, event_topics, key_of, rekeyed_topics
from streams.publishing.ledger import directory, write_whole

# Wrong about the message alone: the event in it says what the key must be.
_REPAIRABLE = frozenset({"key is not the user", "key is not the item"})


class Remembered:
    """Which dead letters were sent again, so that none is twice.

    Kept beside the ledger of published files, and no longer than the letters themselves.

    Parameters
    ----------
    settings : Settings
    cluster : str
        Id of the Kafka cluster.
    """

    def __init__(self, settings: Settings, cluster: str) -> None:
        self._path = directory(settings) / f"resent.{cluster}.{settings.kafka.prefix}.json"
        try:
            self.sources = msgspec.json.decode(self._path.read_bytes(), type=set[str])
        except FileNotFoundError:
            self.sources = set()
        except (OSError, msgspec.DecodeError) as error:
            raise HeadraceError(f"cannot tell which letters were sent again: {self._path}: {error}") from error

    def save(self, kept: set[str]) -> None:
        """Write down those that are still in the topic of dead letters."""
        write_whole(self._path, msgspec.json.encode(sorted(self.sources & kept)))


@dataclass
class Resent:
    """What a call of :func:`resend` did.

    Parameters
    ----------
    sent, earlier : int
        How many letters were sent again now, and how many before.
    remaining : dict of str to (int, str)
        Reason → how many letters were not sent, and why, for the first of them.
    unmatched : int
        Corrected values that belong to no letter.
    """

    sent: int = 0
    earlier: int = 0
    remaining: dict[str, tuple[int, str]] = field(default_factory=dict)
    unmatched: int = 0


def resend(
    settings: Settings,
    producer: EventProducer,
    *,
    reason: str | None = None,
    corrected: Mapping[str, bytes] | None = None,
) -> Resent:
    """Send dead letters to their topics again, each at most once.

    A letter whose key is missing or wrong goes under the key that its event names. Any other goes only with a corrected
    value. What would be refused again is not sent. A letter keeps its time stamp and carries the header ``resent``.

    Parameters
    ----------
    settings : Settings
    producer : EventProducer
    reason : str, optional
        Only letters of this reason.
    corrected : mapping of str to bytes, optional
        ``TOPIC/PARTITION/OFFSET`` → the value to send instead.

    Raises
    ------
    BrokerError
        When Kafka does not answer or does not acknowledge.
    """
    remembered = Remembered(settings, producer.cluster())
    kinds, corrected = event_topics(settings), corrected or {}
    kinds |= {rekeyed: kinds[topic] for topic, rekeyed in rekeyed_topics(settings).items()}
    outcome, kept = Resent(), set[str]()
    for letter in read(settings):
        kept.add(letter.source)
        if reason and letter.reason != reason:
            continue
        if letter.source in remembered.sources:
            outcome.earlier += 1
            continue
        try:
            key, value = _mended(letter, kinds.get(letter.topic), corrected.get(letter.source))
        except InvalidEvent as error:
            count, why = outcome.remaining.get(letter.reason, (0, f"{letter.source}: {error.detail}"))
            outcome.remaining[letter.reason] = count + 1, why
            continue
        producer.send(letter.topic, key, value, timestamp=letter.time, headers={"resent": letter.source})
        remembered.sources.add(letter.source)
        outcome.sent += 1
    producer.flush()
    remembered.save(kept)
    outcome.unmatched = len(corrected.keys() - kept)
    return outcome


def as_json(letter: DeadLetter, resent: bool) -> bytes:
    """Encode a letter as one line that can be corrected by hand: a value that is JSON stands in it as JSON."""
    return msgspec.json.encode(
        {
            "topic": letter.topic,
            "partition": letter.partition,
            "offset": letter.offset,
            "time": letter.time,
            "reason": letter.reason,
            "error": letter.detail,
            "key": None if letter.key is None else _text(letter.key),
            "value": None if letter.value is None else _json_or_text(letter.value),
            "resent": resent,
        }
    )


def corrections(path: Path) -> dict[str, bytes]:
    """Read a file of :func:`as_json`'s lines: ``TOPIC/PARTITION/OFFSET`` → value.

    Raises
    ------
    HeadraceError
        When the file cannot be read, or a line of it.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        raise HeadraceError(f"cannot read {path}: {error.strerror}") from error
    return dict(_corrections(path, lines))


class _Correction(msgspec.Struct):
    topic: str
    partition: int
    offset: int
    value: Any = None


def _corrections(path: Path, lines: Iterable[bytes]) -> Iterable[tuple[str, bytes]]:
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            letter = msgspec.json.decode(line, type=_Correction)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            raise HeadraceError(
                f"{path}, line {number}: {error}; expected a line of `headrace deadletters --json`"
            ) from error
        if letter.value is not None:
            value = letter.value.encode() if isinstance(letter.value, str) else msgspec.json.encode(letter.value)
            yield f"{letter.topic}/{letter.partition}/{letter.offset}", value


def _mended(letter: DeadLetter, kind: Any, corrected: bytes | None) -> tuple[bytes, bytes]:
    """Return the key and the value under which a letter will be accepted."""
    if kind is None:
        raise InvalidEvent(letter.reason, f"{letter.topic!r} is none of our topics")
    if corrected is None and letter.reason not in _REPAIRABLE:
        raise InvalidEvent(letter.reason, letter.detail)
    value = (letter.value or b"") if corrected is None else corrected
    key = _key(kind, value)
    decode(kind, value, key, letter.time)
    return key, value


def _key(kind: Any, value: bytes) -> bytes:
    try:
        return key_of(msgspec.json.decode(value, type=kind))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return b""  # decode says what is wrong


def _json_or_text(value: bytes) -> Any:
    try:
        return msgspec.json.decode(value)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _text(value)


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
