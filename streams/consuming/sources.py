"""Whether the input is still what the states in Redis were made from.

User states and the readers of the learning log skip offsets that they contain. A topic that was deleted and created
again begins its offsets anew, and one whose broker was restored from an older copy gives them to other events: either
would be skipped without a word. So this is checked whenever partitions are taken, and every few seconds.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from confluent_kafka import KafkaException

from infra.errors import BrokerError
from infra.settings import Settings
from serving.store.store import Store
from streams.kafka.admin import Found, describe, topic_ids
from streams.kafka.ends import end_offsets

Partition = tuple[str, int]

_TIMEOUT_S = 30.0
_REMEDY = "rebuild from what the topic holds now, in a new namespace, with `headrace replay`"


class Sources:
    """Knows the topics that states were made from.

    Parameters
    ----------
    settings : Settings
        With the broker's address.
    store : Store
        Remembers Kafka's id of each topic.
    """

    def __init__(self, settings: Settings, store: Store) -> None:
        self._settings, self._store = settings, store

    def check(self, starts: Mapping[Partition, int]) -> dict[Partition, int]:
        """Return where partitions end now; blocks.

        Parameters
        ----------
        starts : mapping
            (topic, partition) → offset from which it is to be read.

        Raises
        ------
        BrokerError
            When a topic is another one than before, or ends before its start, or the broker does not answer.
        """
        ids = topic_ids(self._settings, sorted({topic for topic, _ in starts}))
        for topic, known in self._store.remember_sources(ids).items():
            if known != ids[topic]:
                raise BrokerError(_created_again(topic, known, ids[topic]))
        ends = self._ends(list(starts))
        for place, start in starts.items():
            if start > ends[place]:
                raise BrokerError(
                    f"{place[0]} partition {place[1]} ends at offset {ends[place]} and its events were applied up to "
                    f"{start}: its newest records are lost; {_REMEDY}"
                )
        return ends

    def _ends(self, places: list[Partition]) -> dict[Partition, int]:
        deadline = time.monotonic() + _TIMEOUT_S
        kafka = {"log_level": 0, **self._settings.kafka.client, "bootstrap.servers": self._settings.kafka.bootstrap}
        while True:
            try:
                return end_offsets(kafka, places)
            except (KafkaException, TimeoutError) as error:
                # A partition may be without a leader for a moment.
                if time.monotonic() > deadline:
                    raise BrokerError(
                        f"Kafka at {self._settings.kafka.bootstrap} does not say where its topics end: {error}"
                    ) from error
                time.sleep(0.2)


def what_changed(settings: Settings, known: Mapping[str, Found]) -> str | None:
    """Say why topics are not the ones any more that states were made from; None where they are.

    Parameters
    ----------
    settings : Settings
        With the broker's address.
    known : mapping of str to Found
        The topics as they were when the worker started.

    Raises
    ------
    BrokerError
        When the broker does not answer in time, or a topic does not exist.
    """
    for topic, found in describe(settings, known).items():
        if found.partitions != known[topic].partitions:
            return partitions_changed(topic, found.partitions, known[topic].partitions)
        if found.id != known[topic].id:
            return _created_again(topic, known[topic].id, found.id)
    return None


def partitions_changed(topic: str, found: int, partitions: int) -> str:
    """Return the words for a number of partitions that has changed under a namespace."""
    return (
        f"{topic} has {found} partitions, and the users of this namespace are shared out among {partitions}: they "
        "would be looked for in the wrong places; rebuild them in another namespace with `headrace replay`"
    )


def _created_again(topic: str, known: str, now: str) -> str:
    return (
        f"topic {topic} was deleted and created again since its events were applied (its id was {known}, now {now}): "
        f"its new events have offsets that count as applied; {_REMEDY}"
    )
