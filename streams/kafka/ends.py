"""Where partitions begin and end now."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping
from concurrent.futures import Future
from typing import Any

from confluent_kafka import KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from infra.errors import BrokerError

Place = tuple[str, int]

_TIMEOUT_S = 10.0
_PATIENCE_S = 30.0


def kept_offsets(kafka: Mapping[str, Any], places: Iterable[Place]) -> dict[Place, tuple[int, int]]:
    """Return the first and the next offset of partitions, given as (topic, partition); blocks.

    A partition just created, or just moved, is led by nobody for a moment: that is waited for.

    Parameters
    ----------
    kafka : mapping
        librdkafka properties: at least ``bootstrap.servers``.
    places : iterable of (str, int)

    Raises
    ------
    BrokerError
        When the broker does not say in time.
    """
    asked, deadline = list(places), time.monotonic() + _PATIENCE_S
    while True:
        try:
            client = _client(kafka, asked)
            first, end = (_asked(client, asked, spec) for spec in (OffsetSpec.earliest(), OffsetSpec.latest()))
            firsts, ends = _answered(first), _answered(end)
            return {place: (firsts[place], ends[place]) for place in asked}
        except (KafkaException, TimeoutError) as error:
            if time.monotonic() > deadline:
                raise BrokerError(
                    f"Kafka at {kafka['bootstrap.servers']} does not say where its topics begin and end: {error}"
                ) from error
            time.sleep(0.05)


def end_offsets(kafka: Mapping[str, Any], places: Iterable[Place]) -> dict[Place, int]:
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
    asked = list(places)
    client = _client(kafka, asked)
    return _answered(_asked(client, asked, OffsetSpec.latest()))


def _client(kafka: Mapping[str, Any], places: Iterable[Place]) -> AdminClient:
    """Return a client that knows the leaders of some topics.

    Asked for offsets first, it looks them up itself, and now and then misses the answer for three seconds.
    """
    client = AdminClient(dict(kafka))
    for topic in {topic for topic, _ in places}:
        client.list_topics(topic, timeout=_TIMEOUT_S)
    return client


def _asked(client: AdminClient, places: Iterable[Place], which: OffsetSpec) -> dict[Place, Future[Any]]:
    """Put a question; the client must live until it is answered."""
    asked = {TopicPartition(*place): which for place in places}
    if not asked:
        return {}
    answers = client.list_offsets(asked, request_timeout=_TIMEOUT_S)
    return {(place.topic, place.partition): answer for place, answer in answers.items()}


def _answered(answers: Mapping[Place, Future[Any]]) -> dict[Place, int]:
    return {place: int(answer.result(timeout=_TIMEOUT_S + 1).offset) for place, answer in answers.items()}
