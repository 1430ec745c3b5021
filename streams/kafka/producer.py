"""Typed events into Kafka: the topic and the key follow from the event, and nothing is lost without a word."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from contracts.events import KINDS, Event, Item, encode
from contracts.topics import PUBLIC, REKEYED, topic_name
from infra.errors import BrokerError
from infra.settings import Settings

TIMEOUT_S = 30.0  # for an acknowledgement, or for room in the client's queue; a broker restarts in less
_METADATA_S = 10.0


class EventProducer:
    """Publishes events: idempotent, partitioned by murmur2 of the key as every Java client does.

    Parameters
    ----------
    settings : Settings
        With the broker's address, the topics' prefix, and further properties of the client.

    Raises
    ------
    BrokerError
        When ``kafka.client`` holds a property that the client does not know.
    """

    def __init__(self, settings: Settings) -> None:
        self.bootstrap = settings.kafka.bootstrap
        self._topics = {kind: topic for topic, kind in event_topics(settings).items()}
        self._failed = 0
        self._first_failure = ""
        self._last_error = ""
        properties = contract_properties(settings, linger_ms=5) | {
            "delivery.report.only.error": True,
            "on_delivery": self._delivered,
            "error_cb": self._noticed,
        }
        try:
            self._client = Producer(properties)
        except KafkaException as error:
            raise BrokerError(f"kafka.client cannot be used: {error.args[0].str()}") from error

    def publish(self, event: Event) -> None:
        """Send an event to the topic of its type, under its user or, for an item, under the item.

        Raises
        ------
        BrokerError
            When Kafka takes no more messages.
        """
        self.send(self._topics[type(event)], key_of(event), encode(event))

    def send(
        self,
        topic: str,
        key: bytes | None,
        value: bytes | None,
        *,
        timestamp: int = 0,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Send raw bytes; see :func:`produce`."""
        produce(self._client, topic, key, value, timestamp=timestamp, headers=headers)
        self._client.poll(0)

    def flush(self, timeout: float = TIMEOUT_S) -> None:
        """Wait until all that was sent is acknowledged.

        Parameters
        ----------
        timeout : float
            Seconds.

        Raises
        ------
        BrokerError
            When a message was refused since the last call, with the first reason, or is not acknowledged in time.
        """
        waiting = self._client.flush(timeout)
        failed, self._failed = self._failed, 0
        if failed:
            raise BrokerError(f"Kafka at {self.bootstrap} did not take {failed:,} messages: {self._first_failure}")
        if waiting:
            cause = f": {self._last_error}" if self._last_error else ""
            raise BrokerError(
                f"{waiting:,} messages are not acknowledged by Kafka at {self.bootstrap} after {timeout:g} s{cause}"
            )

    def cluster(self) -> str:
        """Return the id of the Kafka cluster.

        Raises
        ------
        BrokerError
            When no broker answers.
        """
        try:
            return str(self._client.list_topics(timeout=_METADATA_S).cluster_id)
        except KafkaException as error:
            raise BrokerError(
                f"no broker answers at {self.bootstrap} ({error.args[0].str()}): start one with `headrace local`, "
                "or set kafka.bootstrap"
            ) from error

    def _delivered(self, error: KafkaError | None, message: Message) -> None:
        if error is None:
            return
        if not self._failed:
            self._first_failure = f"{message.topic()}: {error.str()}"
        self._failed += 1

    def _noticed(self, error: KafkaError) -> None:
        self._last_error = error.str()


def contract_properties(settings: Settings, linger_ms: int) -> dict[str, Any]:
    """Return librdkafka properties of a producer of events, which waits so long for more of them unless told."""
    return {
        "linger.ms": linger_ms,
        "compression.type": "zstd",
        "log_level": 0,
        **settings.kafka.client,
        # The contract: what a client's own settings must not change.
        "bootstrap.servers": settings.kafka.bootstrap,
        "enable.idempotence": True,  # with it acknowledgements of all replicas
        "partitioner": "murmur2_random",
    }


def event_topics(settings: Settings) -> dict[str, type[Event]]:
    """Return the topics that carry events: full name → type of the events."""
    prefix, namespace = settings.kafka.prefix, settings.namespace
    return {topic_name(topic, prefix, namespace): KINDS[topic.name] for topic in PUBLIC if topic.name in KINDS}


def rekeyed_topics(settings: Settings) -> dict[str, str]:
    """Return topic → where its strays go, by full names; nothing without ``kafka.rekey``."""
    prefix, namespace = settings.kafka.prefix, settings.namespace
    return {
        topic_name(topic, prefix, namespace): topic_name(rekeyed, prefix, namespace)
        for topic, rekeyed in REKEYED.items()
        if settings.kafka.rekey
    }


def key_of(event: Event) -> bytes:
    """Return the message key of an event: its user, or the item of an item."""
    return str(event.item if isinstance(event, Item) else event.user).encode()


def produce(
    client: Any,
    topic: str,
    key: bytes | None,
    value: bytes | None,
    *,
    timestamp: int = 0,
    headers: Mapping[str, str] | None = None,
) -> None:
    """Hand a message to a client, waiting while its queue is full.

    Parameters
    ----------
    client : confluent_kafka.Producer
    topic : str
        Full name.
    key, value : bytes or None
    timestamp : int
        ms since the epoch; 0 is now.
    headers : mapping of str to str, optional

    Raises
    ------
    BrokerError
        When the message is refused at once, or the queue stays full for :data:`TIMEOUT_S`.
    """
    # Words from elsewhere may hold what UTF-8 cannot.
    encoded = {name: text.encode("utf-8", "replace") for name, text in headers.items()} if headers else None
    deadline = 0.0
    while True:
        try:
            client.produce(topic, value, key, timestamp=timestamp, headers=encoded)
            return
        except BufferError as error:
            now = time.monotonic()
            deadline = deadline or now + TIMEOUT_S
            if now > deadline:
                raise BrokerError(f"Kafka has taken no message for {TIMEOUT_S:.0f} s; does it run?") from error
            client.poll(0.1)
        except KafkaException as error:
            raise BrokerError(f"Kafka refuses a message to {topic}: {error.args[0].str()}") from error
