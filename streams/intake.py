"""From the messages of a batch to decoded events; what cannot be used is set aside with the reason."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.events import Click, InvalidEvent, Rating, User, decode
from contracts.learning import Source
from models.attributes import features
from models.engine import Batch
from streams.records import Records

Letters = list[tuple[Any, InvalidEvent]]
"""Messages that cannot be used, and why."""


@dataclass(slots=True)
class Events:
    """Clicks or ratings.

    Attributes
    ----------
    batch : Batch
    stamps : list of int
        ms since the epoch, when each was produced.
    letters : Letters
    """

    batch: Batch
    stamps: list[int] = field(default_factory=list)
    letters: Letters = field(default_factory=list)


@dataclass(slots=True)
class Users:
    """What is known of users beside their events.

    Attributes
    ----------
    attributes : dict
        User → hashes of his attributes, by the newest record of each.
    forgets : int
        How many wish to be forgotten.
    letters : Letters
    """

    attributes: dict[str, NDArray[np.uint32]] = field(default_factory=dict)
    forgets: int = 0
    letters: Letters = field(default_factory=list)


def decode_events(
    records: Records, kind: type[Click] | type[Rating], topic_id: str, home: Callable[[str], int], *, foreign: bool
) -> Events:
    """Decode clicks or ratings.

    Parameters
    ----------
    records, kind, topic_id
    home : callable
        User → the partition where his events should lie.
    foreign : bool
        Whether events on other partitions are accepted: only a worker that owns all of them can apply these.
    """
    numbers = {partition: index for index, partition in enumerate(records.stretches)}
    sources = [Source(records.topic, topic_id, p, first, last) for p, (first, last) in records.stretches.items()]
    given = Events(Batch([], [], [], [], sources))
    events, source, offsets, own = [], [], [], []
    for message in records.messages:
        stamp = message.timestamp()[1]
        try:
            event = decode(kind, message.value(), message.key(), stamp)
            _check_place(message, event.user, home, foreign)
        except InvalidEvent as error:
            given.letters.append((message, error))
            continue
        partition = message.partition()
        events.append(event)
        source.append(numbers[partition])
        offsets.append(message.offset())
        own.append(partition == home(event.user))
        given.stamps.append(stamp)
    given.batch = Batch(events, source, offsets, own, sources)
    return given


def decode_users(records: Records, home: Callable[[str], int], *, foreign: bool) -> Users:
    """Decode records of users; ``home`` and ``foreign`` as in :func:`decode_events`."""
    given = Users()
    for message in records.messages:
        if message.value() is None and message.key():
            given.forgets += 1  # a tombstone: the same wish
            continue
        try:
            user = decode(User, message.value(), message.key(), message.timestamp()[1])
            _check_place(message, user.user, home, foreign)
        except InvalidEvent as error:
            given.letters.append((message, error))
            continue
        if user.forget:
            given.forgets += 1
        else:
            given.attributes[user.user] = features(user.attributes)
    return given


def _check_place(message: Any, user: str, home: Callable[[str], int], foreign: bool) -> None:
    if not foreign and message.partition() != home(user):
        raise InvalidEvent(
            "key is not the user",
            f"{user!r} lies on partition {message.partition()} and belongs on {home(user)}: set the producer's "
            "partitioner to murmur2_random",
        )
