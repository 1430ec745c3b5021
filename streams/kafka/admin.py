"""The topics as they stand in Kafka: created where missing, compared with the contract where they exist."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Set
from concurrent.futures import Future
from typing import Any, NamedTuple

from confluent_kafka import KafkaError, KafkaException, TopicCollection
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

from contracts.topics import CLICKS, LEARNING, PUBLIC, RATINGS, REKEYED, USERS, Topic, topic_name
from infra.errors import BrokerError
from infra.settings import Settings

_TIMEOUT_S = 10.0
_ASK_S = 1.0  # then the client is asked what it has met
_DENIED = (KafkaError._AUTHENTICATION, KafkaError._SSL)
_UNREACHABLE = (KafkaError._TRANSPORT, KafkaError._TIMED_OUT, KafkaError._ALL_BROKERS_DOWN, KafkaError._RESOLVE)


def ensure_topics(settings: Settings) -> list[str]:
    """Create the topics that are missing; one that exists with other settings is reported, never changed.

    Parameters
    ----------
    settings : Settings
        With the broker's address, and the topics' prefix, partitions and replication.

    Returns
    -------
    list of str
        One readable line for each difference.

    Raises
    ------
    BrokerError
        When the broker does not answer in time, or refuses.
    """
    return _ensured(_Broker(settings), _wanted_properties(settings))


def prepare_topics(settings: Settings) -> tuple[list[str], dict[str, Found]]:
    """Do what :func:`ensure_topics` does; return its lines, and all topics of the deployment as they are then."""
    broker, wanted = _Broker(settings), _wanted_properties(settings)
    return _ensured(broker, wanted), broker.described(list(wanted))


def compare_topics(settings: Settings) -> tuple[set[str], list[str]]:
    """Return which topics are missing, and one readable line for each difference of the others; change nothing.

    Raises
    ------
    BrokerError
        When the broker does not answer in time, or refuses.
    """
    broker, wanted = _Broker(settings), _wanted_properties(settings)
    partitions = broker.partitions()
    existing = partitions.keys() & wanted.keys()
    return wanted.keys() - existing, _compared(broker, wanted, existing, partitions)


def wanted_topics(settings: Settings) -> dict[str, Topic]:
    """Return all topics of a deployment by their full names: the public ones and the namespace's own."""
    topics = (*PUBLIC, LEARNING, *(REKEYED.values() if settings.kafka.rekey else ()))
    return {topic_name(topic, settings.kafka.prefix, settings.namespace): topic for topic in topics}


def topics_by_user(settings: Settings) -> list[str]:
    """Return the full names of the topics of which a group member reads the same partitions."""
    topics = (CLICKS, RATINGS, USERS, *(REKEYED.values() if settings.kafka.rekey else ()))
    return [topic_name(topic, settings.kafka.prefix, settings.namespace) for topic in topics]


def topic_ids(settings: Settings, names: Iterable[str]) -> dict[str, str]:
    """Return Kafka's own id of each topic: one that was deleted and created again is another source.

    Raises
    ------
    BrokerError
        When the broker does not answer in time, or a topic does not exist.
    """
    return {name: found.id for name, found in describe(settings, names).items()}


class Found(NamedTuple):
    """A topic as Kafka describes it.

    Attributes
    ----------
    id : str
        Kafka's own, see :func:`topic_ids`.
    partitions : int
    """

    id: str
    partitions: int


def describe(settings: Settings, names: Iterable[str]) -> dict[str, Found]:
    """Return id and number of partitions of each topic, in one question.

    Raises
    ------
    BrokerError
        When the broker does not answer in time, or a topic does not exist.
    """
    return _Broker(settings).described(list(names))


def topic_partitions(settings: Settings, names: Iterable[str]) -> dict[str, int]:
    """Return the number of partitions of each topic.

    Raises
    ------
    BrokerError
        When the broker does not answer in time, or a topic does not exist.
    """
    broker, wanted = _Broker(settings), list(names)
    partitions = broker.partitions()
    for name in wanted:
        if name not in partitions:
            raise broker.missing(name)
    return {name: partitions[name] for name in wanted}


_EXISTS = KafkaError.TOPIC_ALREADY_EXISTS


class _Broker:
    """Asks the broker, and says in words what it could not answer."""

    def __init__(self, settings: Settings) -> None:
        self._address = settings.kafka.bootstrap
        self._replication = settings.kafka.replication
        # What the connection meets, told by the client when it is polled. Not a method of ours: a circle of references
        # would keep the client, its threads and connections, until garbage is collected.
        self._met: list[KafkaError] = []
        conf = {"log_level": 0, **settings.kafka.client, "bootstrap.servers": self._address}
        conf["error_cb"] = self._met.append
        # Kept for as long as a question is open: the client's end is the end of all its pending answers.
        try:
            self._client = AdminClient(conf)
        except KafkaException as error:
            raise BrokerError(f"kafka.client cannot be used: {error.args[0].str()}") from error

    def partitions(self) -> dict[str, int]:
        deadline = time.monotonic() + _TIMEOUT_S
        while True:
            try:
                topics = self._client.list_topics(timeout=_ASK_S).topics
            except KafkaException as error:
                unreachable = error.args[0].code() in _UNREACHABLE
                if not unreachable or self._denied() or time.monotonic() > deadline:
                    raise self._refusal("the list of topics", error) from error
            else:
                return {name: len(metadata.partitions) for name, metadata in topics.items()}

    def _denied(self) -> str | None:
        """Say why the broker lets nobody in, where it does not."""
        self._client.poll(0)
        return next((error.str() for error in self._met if error.code() in _DENIED), None)

    def described(self, names: list[str]) -> dict[str, Found]:
        answers = self._client.describe_topics(TopicCollection(names), request_timeout=_TIMEOUT_S)
        topics = {name: self._answer(name, answer) for name, answer in answers.items()}
        return {name: Found(str(topic.topic_id), len(topic.partitions)) for name, topic in topics.items()}

    def create(self, topics: Mapping[str, Mapping[str, str]]) -> set[str]:
        """Create topics; return those that did not exist, as one may that another program has created meanwhile."""
        new = [
            NewTopic(name, int(properties["partitions"]), self._replication, config=_configurable(properties))
            for name, properties in topics.items()
        ]
        if not new:
            return set()
        answers = self._client.create_topics(new, request_timeout=_TIMEOUT_S)
        created = {name for name, answer in answers.items() if self._answer(name, answer, _EXISTS) is not _EXISTS}
        self._await(topics.keys())
        return created

    def _await(self, names: Set[str]) -> None:
        """Wait until the brokers, and not only their controller, know the topics."""
        deadline = time.monotonic() + _TIMEOUT_S
        while not names <= self.partitions().keys():
            if time.monotonic() > deadline:
                raise self._unreachable()
            time.sleep(0.02)

    def properties(self, names: list[str], partitions: Mapping[str, int]) -> dict[str, dict[str, str]]:
        """Return of each topic what :func:`_properties` says it should be."""
        if any(name not in partitions for name in names):  # created meanwhile, by another program
            partitions = self.partitions()
        resources = [ConfigResource(ConfigResource.Type.TOPIC, name) for name in names]
        answers = self._client.describe_configs(resources, request_timeout=_TIMEOUT_S) if resources else {}
        configs = {resource.name: self._answer(resource.name, answer) for resource, answer in answers.items()}
        return {
            name: {"partitions": str(partitions[name])} | {key: str(entry.value) for key, entry in config.items()}
            for name, config in configs.items()
        }

    def missing(self, name: str) -> BrokerError:
        return BrokerError(f"there is no topic {name} at {self._address}: create the topics with `headrace topics`")

    def _answer(self, name: str, answer: Future[Any], harmless: int | None = None) -> Any:
        """Return the broker's answer, or the code of an error that does no harm."""
        try:
            return answer.result(timeout=_TIMEOUT_S + 1)
        except KafkaException as error:
            if error.args[0].code() == harmless:
                return harmless
            raise self._refusal(name, error) from error
        except TimeoutError as error:
            raise self._unreachable() from error

    def _refusal(self, subject: str, error: KafkaException) -> BrokerError:
        reason: KafkaError = error.args[0]
        if reason.code() == KafkaError.UNKNOWN_TOPIC_OR_PART:
            return self.missing(subject)
        if reason.code() in _UNREACHABLE:
            return self._unreachable()
        return BrokerError(f"the broker at {self._address} refuses {subject}: {reason.str()}")

    def _unreachable(self) -> BrokerError:
        denied = self._denied()
        if denied:
            return BrokerError(f"the broker at {self._address} lets nobody in with what kafka.client says: {denied}")
        return BrokerError(
            f"no broker answers at {self._address} within {_TIMEOUT_S:.0f} s: start one with `headrace local`, or set "
            "kafka.bootstrap; one that asks for TLS or a password needs kafka.client"
        )


def _wanted_properties(settings: Settings) -> dict[str, dict[str, str]]:
    return {name: _properties(topic, settings) for name, topic in wanted_topics(settings).items()}


def _ensured(broker: _Broker, wanted: Mapping[str, Mapping[str, str]]) -> list[str]:
    partitions = broker.partitions()
    created = broker.create({name: properties for name, properties in wanted.items() if name not in partitions})
    return _compared(broker, wanted, wanted.keys() - created, partitions)


def _compared(
    broker: _Broker, wanted: Mapping[str, Mapping[str, str]], names: Set[str], partitions: Mapping[str, int]
) -> list[str]:
    found = broker.properties([name for name in wanted if name in names], partitions)
    return [line for name in found for line in _differences(name, wanted[name], found[name])]


def _properties(topic: Topic, settings: Settings) -> dict[str, str]:
    return {
        "partitions": str(topic.partitions or settings.kafka.partitions),
        "cleanup.policy": topic.cleanup,
        "retention.ms": str(topic.retention_ms),
    }


def _configurable(properties: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in properties.items() if key != "partitions"}


def _differences(name: str, wanted: Mapping[str, str], found: Mapping[str, str]) -> list[str]:
    return [f"{name}: {key} is {found[key]}, not {value}" for key, value in wanted.items() if found[key] != value]
