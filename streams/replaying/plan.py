"""What a replay reads, and how far it has come: all that it needs to go on after it was interrupted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import confluent_kafka as ck
import msgspec
from confluent_kafka.admin import AdminClient, OffsetSpec

from contracts.topics import CLICKS, ITEMS, RATINGS, USERS, topic_name
from infra.errors import BrokerError, HeadraceError
from infra.settings import Settings
from streams.kafka.admin import topic_ids, topic_partitions
from streams.kafka.producer import rekeyed_topics
from streams.kafka.whole import next_offsets
from streams.replaying.merge import BEFORE_ALL

BLOCK = 4096
"""Entries that are observed at once. Records end where blocks end, counted from the beginning: so two replays of the
same stream learn the same records, and one that goes on after an interruption learns those that are left."""
FOLDING, LISTING, DONE = "folding", "listing", "done"
"""Phases of a replay."""
_TIMEOUT_S = 10.0
_TOPICS = (CLICKS, ITEMS, RATINGS, USERS)  # by name: so they come where their times are equal


class Part(msgspec.Struct, frozen=True):
    """One partition of one topic, from one offset to another."""

    topic: str  # full name
    kind: str  # clicks, items, ratings or users
    topic_id: str
    partition: int
    first: int
    end: int  # offset after the last one

    @property
    def name(self) -> str:
        """``TOPIC/PARTITION``, for messages."""
        return f"{self.topic}/{self.partition}"


class Plan(msgspec.Struct, frozen=True):
    """What is replayed: chosen at the start, and kept when it goes on later."""

    parts: list[Part]  # in the order in which they come where times are equal
    partitions: int  # of every user-keyed topic
    began: int  # ms since the epoch
    since: str  # as asked for
    until: str
    log_end: int  # of the namespace's own learning log: where its workers go on
    score_every: int
    rekeyed: dict[str, dict[int, int]] = {}  # with `kafka.rekey`: where the namespace's topics of strays end

    @property
    def total(self) -> int:
        """Messages that are read, those of ``items`` left out."""
        return sum(part.end - part.first for part in self.parts if part.kind != "items")


class Progress(msgspec.Struct):
    """How far it has come: always to the end of a block."""

    block: int  # blocks done
    positions: list[int]  # part by part: offset of the next entry
    times: list[int]  # part by part: time of the last entry
    applied: int = 0  # events that counted
    observed: int = 0  # events, repeats included
    read: int = 0  # messages read, invalid ones included
    quality: dict[str, Any] = {}  # of the prequential sample
    popularity: dict[str, Any] = {}
    open_wishes: dict[str, int] = {}  # partition of users → first wish to be forgotten that nobody has acted on
    phase: str = FOLDING


class Mark(msgspec.Struct):
    """What stands in the store as long as the namespace does: what was replayed into it, and how far."""

    plan: Plan
    progress: Progress
    time: int = 0  # when it was written, ms since the epoch


def start_of(plan: Plan) -> Progress:
    """Return the progress of a replay that has done nothing."""
    return Progress(0, [part.first for part in plan.parts], [BEFORE_ALL] * len(plan.parts))


def time_of(text: str, word: str) -> int | None:
    """Return a point in time in ms since the epoch; None for ``word``, which says that there is no bound.

    Parameters
    ----------
    text : str
        Milliseconds since the epoch, or ISO 8601; without a zone it is UTC.

    Raises
    ------
    HeadraceError
        When it is neither.
    """
    if text == word:
        return None
    if text.isdecimal():
        return int(text)
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError as error:
        raise HeadraceError(
            f"{text!r} is no time: say {word}, ISO 8601 like 2026-07-01T12:00:00Z, or milliseconds since the epoch"
        ) from error
    return round((parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp() * 1000)


def make_plan(settings: Settings, since: str, until: str, score_every: int, log_end: int, now: int) -> Plan:
    """Look up which offsets a replay reads.

    Parameters
    ----------
    settings : Settings
        With the broker's address; the topics' prefix.
    since, until : str
        ``beginning`` or a time, ``now`` or a time, see :func:`time_of`; times are those at which messages were
        published. What is known of items is read whole whatever the first says.

    Raises
    ------
    BrokerError
        When the broker does not answer, or the topics do not fit together.
    HeadraceError
        When a time is none.
    """
    first_ms, end_ms = time_of(since, "beginning"), time_of(until, "now")
    if first_ms is not None and end_ms is not None and first_ms >= end_ms:
        raise HeadraceError(f"--from {since} is not before --to {until}")
    kinds = {topic_name(topic, settings.kafka.prefix, settings.namespace): topic.name for topic in _TOPICS}
    counts = topic_partitions(settings, kinds)
    if len({counts[name] for name, kind in kinds.items() if kind != "items"}) != 1:
        raise BrokerError(f"the user-keyed topics have different numbers of partitions ({counts}): create them anew")
    ids = topic_ids(settings, kinds)
    places = [ck.TopicPartition(name, number) for name in kinds for number in range(counts[name])]
    earliest = _offsets(settings, places, OffsetSpec.earliest())
    latest = _offsets(settings, places, OffsetSpec.latest())
    firsts = _at(settings, places, first_ms, earliest, latest)
    ends = _at(settings, places, end_ms, latest, latest)
    parts = [
        Part(
            place.topic,
            kinds[place.topic],
            ids[place.topic],
            place.partition,
            first := earliest[key] if kinds[place.topic] == "items" else firsts[key],
            max(first, ends[key]),
        )
        for key, place in enumerate(places)
    ]
    partitions = counts[next(name for name, kind in kinds.items() if kind == "clicks")]
    rekeyed = next_offsets(settings, rekeyed_topics(settings).values())
    return Plan(parts, partitions, now, since, until, log_end, score_every, rekeyed)


def _at(
    settings: Settings, places: Sequence[ck.TopicPartition], time_ms: int | None, otherwise: list[int], ends: list[int]
) -> list[int]:
    """Return of each partition the offset of the first message published at a time or later, its end without one."""
    if time_ms is None:
        return otherwise
    found = _offsets(settings, places, OffsetSpec.for_timestamp(time_ms))
    return [offset if offset >= 0 else end for offset, end in zip(found, ends, strict=True)]


def _offsets(settings: Settings, places: Sequence[ck.TopicPartition], which: Any) -> list[int]:
    client = AdminClient({"log_level": 0, **settings.kafka.client, "bootstrap.servers": settings.kafka.bootstrap})
    answers = client.list_offsets(dict.fromkeys(places, which), request_timeout=_TIMEOUT_S)
    found = {}
    for place, answer in answers.items():
        try:
            found[place.topic, place.partition] = int(answer.result(timeout=_TIMEOUT_S + 1).offset)
        except (ck.KafkaException, TimeoutError) as error:
            raise BrokerError(
                f"the broker at {settings.kafka.bootstrap} does not say what {place.topic} holds: {error}"
            ) from error
    return [found[place.topic, place.partition] for place in places]
