"""How far a group still has to go: to where the user-keyed topics ended at one moment."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from confluent_kafka import ConsumerGroupTopicPartitions, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, OffsetSpec

from contracts.topics import CLICKS, RATINGS, REKEYED, topic_name
from infra.errors import BrokerError
from infra.settings import Settings
from streams.kafka.admin import topic_partitions

_TIMEOUT_S = 10.0


class Goal:
    """The ends of a deployment's clicks and ratings, forwarded ones too, at the moment when this object is made.

    Parameters
    ----------
    settings : Settings
        With the broker's address; the namespace names the group.

    Raises
    ------
    BrokerError
        When the broker does not answer.
    """

    def __init__(self, settings: Settings) -> None:
        self._address = settings.kafka.bootstrap
        self._group = f"{settings.kafka.prefix}-{settings.namespace}"
        self._client = AdminClient({"log_level": 0, **settings.kafka.client, "bootstrap.servers": self._address})
        topics = (CLICKS, RATINGS, *(REKEYED.values() if settings.kafka.rekey else ()))
        names = [topic_name(topic, settings.kafka.prefix, settings.namespace) for topic in topics]
        counts = topic_partitions(settings, names)
        self._places = [TopicPartition(name, number) for name in names for number in range(counts[name])]
        self._firsts = self._offsets(OffsetSpec.earliest())
        self._ends = self._offsets(OffsetSpec.latest())

    def remaining(self, applied: Mapping[str, int]) -> int:
        """Return how many messages up to the goal are not applied yet.

        Parameters
        ----------
        applied : mapping of str to int
            ``TOPIC/PARTITION`` → next offset, as a worker's status has it. The group's commits tell of partitions that
            are not in it: those with nothing new since the worker started, and those of other workers.
        """
        committed = self._committed()
        reached = {
            place: max(applied.get(place, 0), committed.get(place, 0), self._firsts[place]) for place in self._ends
        }
        return sum(max(0, end - reached[place]) for place, end in self._ends.items())

    def _offsets(self, which: OffsetSpec) -> dict[str, int]:
        answers = self._client.list_offsets(dict.fromkeys(self._places, which), request_timeout=_TIMEOUT_S)
        return {_name(place): self._result(answer).offset for place, answer in answers.items()}

    def _committed(self) -> dict[str, int]:
        question = [ConsumerGroupTopicPartitions(self._group, self._places)]
        (answer,) = self._client.list_consumer_group_offsets(question, request_timeout=_TIMEOUT_S).values()
        return {_name(place): place.offset for place in self._result(answer).topic_partitions}

    def _result(self, answer: Any) -> Any:
        try:
            return answer.result(timeout=_TIMEOUT_S + 1)
        except (KafkaException, TimeoutError) as error:
            raise BrokerError(f"the broker at {self._address} does not say how far its topics go: {error}") from error


def _name(place: TopicPartition) -> str:
    return f"{place.topic}/{place.partition}"
