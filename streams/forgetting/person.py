"""All that Headrace keeps of one person, in words that he can read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import orjson

from contracts.events import InvalidEvent, User, decode
from contracts.redis import decode_vector
from contracts.topics import CLICKS, USERS, partition_of, topic_name
from infra.settings import Settings
from models.user_state import decode_state
from streams.forgetting.histories import history_of
from streams.forgetting.marks import Marks
from streams.kafka.admin import topic_partitions
from streams.kafka.whole import read_whole
from streams.learning.present import names, present_model

Held = tuple[bytes | None, bytes | None, bytes | None]
"""A user's state, list and vector, as they stand in Redis; None where there is nothing."""


def home_of(settings: Settings, user: str) -> int:
    """Return a user's own partition.

    Raises
    ------
    BrokerError
        When Kafka does not answer, or there are no topics.
    """
    clicks = topic_name(CLICKS, settings.kafka.prefix, settings.namespace)
    return partition_of(user, topic_partitions(settings, [clicks])[clicks])


def person_of(settings: Settings, user: str, held: Mapping[str, Held]) -> dict[str, Any]:
    """Return what namespaces hold of a person, and what he was last described as.

    Parameters
    ----------
    settings : Settings
    user : str
    held : mapping of str to tuple
        Namespace → what it holds of him.

    Returns
    -------
    dict
        ``user``; ``attributes``, as they came; ``namespaces``: name → ``history`` (item, time, type, rating), the items
        that he had ``earlier``, the present ``list`` and the ``vector``.

    Raises
    ------
    BrokerError
        When Kafka does not answer.
    """
    found = {name: _readable(settings, name, user, each) for name, each in held.items() if any(each)}
    return {"user": user, "attributes": attributes_of(settings, user), "namespaces": found}


def _readable(settings: Settings, namespace: str, user: str, held: Held) -> dict[str, Any]:
    found: dict[str, Any] = {"history": [], "earlier": [], "list": None, "vector": None}
    state, own_list, vector = held
    if state is not None:
        ids = names(present_model(msgspec.structs.replace(settings, namespace=namespace), lambda _: None))
        history = history_of(user, decode_state(state), ids)
        found |= {"history": msgspec.to_builtins(history.history), "earlier": history.earlier}
    if own_list is not None:
        found["list"] = orjson.loads(own_list)
    if vector is not None:
        found["vector"] = [round(float(value), 5) for value in decode_vector(vector)]
    return found


def attributes_of(settings: Settings, user: str, only: int | None = None) -> dict[str, Any]:
    """Return what the newest record of a user says, unless he was forgotten since.

    Reads the whole topic of users, or ``only`` this partition of it, which his records are on unless a producer of
    another make has put them elsewhere.

    Raises
    ------
    BrokerError
        When Kafka does not answer.
    """
    topic, marks = topic_name(USERS, settings.kafka.prefix, settings.namespace), Marks.read(settings)
    newest: dict[str, Any] = {}
    for message in read_whole(settings, topic, only=only):
        if message.key() != user.encode() or message.value() is None:
            continue
        place = message.topic(), message.partition(), message.offset(), message.timestamp()[1]
        try:
            record = decode(User, message.value(), message.key(), place[3])
        except InvalidEvent:
            continue
        newest = {} if record.forget or marks.skips(user, *place) else record.attributes
    return newest
