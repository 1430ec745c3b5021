"""A namespace beyond its keys: its consumer group, its learning log, its checkpoints."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping

import confluent_kafka as ck
from confluent_kafka.admin import AdminClient

from contracts.topics import LEARNING, REKEYED, topic_name
from infra.errors import BrokerError
from infra.settings import Settings
from serving.store.namespaces import Namespaces
from streams.learning.checkpoints import Checkpoints

SILENCE_MS = 15_000
"""A worker that has said nothing for so long does not live."""
_TIMEOUT_S = 30.0
_NOT_THERE = (ck.KafkaError.GROUP_ID_NOT_FOUND, ck.KafkaError.UNKNOWN_TOPIC_OR_PART)


def group_of(settings: Settings) -> str:
    """Return the name of the consumer group that the workers of a namespace form."""
    return f"{settings.kafka.prefix}-{settings.namespace}"


def commit(settings: Settings, offsets: Mapping[tuple[str, int], int]) -> None:
    """Let the workers of a namespace go on from these offsets: (topic, partition) → next offset.

    Raises
    ------
    BrokerError
        When the broker does not answer, or when the group has members: only they may commit.
    """
    consumer = ck.Consumer(
        {
            "log_level": 0,
            **settings.kafka.client,
            "bootstrap.servers": settings.kafka.bootstrap,
            "group.id": group_of(settings),
            "enable.auto.commit": False,
        }
    )
    try:
        places = [ck.TopicPartition(topic, number, offset) for (topic, number), offset in offsets.items()]
        for place in consumer.commit(offsets=places, asynchronous=False):
            if place.error is not None:
                raise ck.KafkaException(place.error)
    except ck.KafkaException as error:
        raise BrokerError(
            f"the offsets of group {group_of(settings)} are not committed: {error.args[0].str()}; "
            f"do workers of namespace {settings.namespace} run?"
        ) from error
    finally:
        consumer.close()


def clear(settings: Settings, namespaces: Namespaces) -> Iterator[int]:
    """Remove everything of the namespace of the settings, keys in small steps; yields how many keys went in each.

    What readers of the store find goes first, the group that says how far workers have come last: who is interrupted
    begins again, and nothing half removed is taken for something whole.

    Raises
    ------
    BrokerError
        When the broker does not answer or refuses.
    """
    yield from namespaces.delete(settings.namespace)
    Checkpoints(settings.checkpoints, lambda text: None).remove()
    admin = AdminClient({"log_level": 0, **settings.kafka.client, "bootstrap.servers": settings.kafka.bootstrap})
    topics = {topic_name(each, settings.kafka.prefix, settings.namespace) for each in (LEARNING, *REKEYED.values())}
    group = group_of(settings)
    for answers in (
        admin.delete_topics(sorted(topics), operation_timeout=_TIMEOUT_S, request_timeout=_TIMEOUT_S),
        admin.delete_consumer_groups([group], request_timeout=_TIMEOUT_S),
    ):
        for name, answer in answers.items():
            try:
                answer.result(timeout=_TIMEOUT_S + 1)
            except ck.KafkaException as error:
                if error.args[0].code() not in _NOT_THERE:
                    raise BrokerError(f"{name} is not removed: {error.args[0].str()}") from error
    deadline = time.monotonic() + _TIMEOUT_S
    while left := topics & admin.list_topics(timeout=_TIMEOUT_S).topics.keys():  # brokers hear after their controller
        if time.monotonic() > deadline:
            raise BrokerError(f"{', '.join(sorted(left))}: still there {_TIMEOUT_S:.0f} s after the removal")
        time.sleep(0.02)
