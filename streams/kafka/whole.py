"""A topic as it stands now: all its messages from the oldest kept to the newest of this moment, then no more."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Message, TopicPartition

from infra.errors import BrokerError
from infra.settings import Settings

_TIMEOUT_S = 10.0


def read_whole(
    settings: Settings, topic: str, begin: Mapping[int, int] | None = None, only: int | None = None
) -> Iterator[Message]:
    """Yield the messages of a topic, partition by partition in the order of their offsets.

    Parameters
    ----------
    settings : Settings
        With the broker's address.
    topic : str
        Full name.
    begin : mapping of int to int, optional
        Partition → the offset to read from, instead of its beginning.
    only : int, optional
        The one partition to read.

    Raises
    ------
    BrokerError
        When the broker does not answer, or has no such topic.
    """
    begin = begin or {}
    consumer = _consumer(settings)
    try:
        ends = {number: end for number, end in _ends(consumer, topic).items() if begin.get(number, 0) < end}
        if only is not None:
            ends = {number: end for number, end in ends.items() if number == only}
        consumer.assign([TopicPartition(topic, number, begin.get(number, OFFSET_BEGINNING)) for number in ends])
        yield from _messages(consumer, ends)
    except KafkaException as error:
        raise BrokerError(f"cannot read {topic} at {settings.kafka.bootstrap}: {error.args[0].str()}") from error
    finally:
        consumer.close()


def next_offsets(settings: Settings, topics: Iterable[str]) -> dict[str, dict[int, int]]:
    """Return topic → partition → offset after its last message.

    Raises
    ------
    BrokerError
        When the broker does not answer, or has no such topic.
    """
    consumer = _consumer(settings)
    try:
        return {topic: _ends(consumer, topic) for topic in topics}
    except KafkaException as error:
        raise BrokerError(f"cannot read from {settings.kafka.bootstrap}: {error.args[0].str()}") from error
    finally:
        consumer.close()


def _consumer(settings: Settings) -> Any:
    return Consumer(
        {
            "log_level": 0,
            **settings.kafka.client,
            "bootstrap.servers": settings.kafka.bootstrap,
            # The client asks for one; partitions are assigned by hand and nothing is committed.
            "group.id": f"{settings.kafka.prefix}-whole",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "earliest",
        }
    )


def _ends(consumer: Any, topic: str) -> dict[int, int]:
    """Return partition → offset after its last message."""
    metadata = consumer.list_topics(topic, timeout=_TIMEOUT_S).topics[topic]
    if metadata.error:
        raise BrokerError(f"{topic}: {metadata.error.str()}; create the topics with `headrace topics`")
    return {partition: bounds(consumer, TopicPartition(topic, partition))[1] for partition in metadata.partitions}


def bounds(consumer: Any, partition: TopicPartition) -> tuple[int, int]:
    """Return the first and the next offset of a partition, as the broker has them now."""
    deadline = time.monotonic() + _TIMEOUT_S
    while True:
        try:
            first, end = consumer.get_watermark_offsets(partition, timeout=_TIMEOUT_S)
            return int(first), int(end)
        except KafkaException as error:
            # A partition just created, or just moved, is led by nobody for a moment.
            if not error.args[0].retriable() and error.args[0].code() != KafkaError.NOT_LEADER_FOR_PARTITION:
                raise
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def _messages(consumer: Any, ends: dict[int, int]) -> Iterator[Message]:
    """Yield what stands below the ends; an end of file says that a partition holds no more."""
    unread = set(ends)
    while unread:
        message = consumer.poll(_TIMEOUT_S)
        if message is None:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT))
        error = message.error()
        if error and error.code() != KafkaError._PARTITION_EOF:
            raise KafkaException(error)
        if error or message.offset() >= ends[message.partition()]:
            unread.discard(message.partition())
        else:
            yield message
