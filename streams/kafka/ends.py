"""Where partitions end now."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

_TIMEOUT_S = 10.0


def end_offsets(kafka: Mapping[str, Any], places: Iterable[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """Return the next offset of partitions, given as (topic, partition); blocks.

    A client of its own each time: one that knew the partitions before their broker died goes on asking with the leader
    epochs of then, and is refused for as long as it lives.

    Parameters
    ----------
    kafka : mapping
        librdkafka properties: at least ``bootstrap.servers``.
    places : iterable of (str, int)

    Raises
    ------
    confluent_kafka.KafkaException, TimeoutError
        When the broker does not say; it may a moment later.
    """
    asked = {TopicPartition(*place): OffsetSpec.latest() for place in places}
    if not asked:
        return {}
    client = AdminClient(dict(kafka))
    # Asked for offsets first, it looks up the leaders itself, and now and then misses the answer for three seconds.
    for topic in {place.topic for place in asked}:
        client.list_topics(topic, timeout=_TIMEOUT_S)
    answers = client.list_offsets(asked, request_timeout=_TIMEOUT_S)
    return {
        (place.topic, place.partition): int(answer.result(timeout=_TIMEOUT_S + 1).offset)
        for place, answer in answers.items()
    }
