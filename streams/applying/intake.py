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
from streams.applying.rekeying import LONGEST, Stray
from streams.consuming.records import Records
from streams.forgetting.marks import Marks
from streams.forgetting.wishes import FORGOTTEN, Asked

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
    skipped : int
        How many came before their user was forgotten.
    strays : list of Stray
        What is to be forwarded to its user's partition.
    """

    batch: Batch
    stamps: list[int] = field(default_factory=list)
    letters: Letters = field(default_factory=list)
    skipped: int = 0
    strays: list[Stray] = field(default_factory=list)

    @property
    def partitions(self) -> NDArray[np.int64]:
        """Where each of the events lies, shape (n,)."""
        numbers = np.array([source.partition for source in self.batch.sources], np.int64)
        return numbers[np.array(self.batch.source, np.intp)]


@dataclass(slots=True)
class Users:
    """What is known of users beside their events.

    Attributes
    ----------
    records : list of User and message
        What describes somebody, in order.
    wishes : list of Asked
        Who wishes to be forgotten, in order.
    letters : Letters
    """

    records: list[tuple[User, Any]] = field(default_factory=list)
    wishes: list[Asked] = field(default_factory=list)
    letters: Letters = field(default_factory=list)

    def attributes(self, marks: Marks) -> dict[str, NDArray[np.uint32]]:
        """Return user → hashes of his attributes, by his newest record; for when the marks of the wishes are made."""
        return {
            user.user: features(user.attributes) for user, message in self.records if not _is_past(marks, user, message)
        }


def decode_events(
    records: Records,
    kind: type[Click] | type[Rating],
    topic_id: str,
    home: Callable[[str], int],
    marks: Marks,
    *,
    foreign: bool,
    rekey: bool = False,
    forwarded: bool = False,
) -> Events:
    """Decode clicks or ratings; what came before its user was forgotten is left out.

    Parameters
    ----------
    records, kind, topic_id
    home : callable
        User → the partition where his events should lie.
    marks : Marks
    foreign : bool
        Whether events on other partitions are accepted: only a worker that owns all of them can apply these.
    rekey : bool
        Whether any key will do, and events on other partitions, where they are not accepted, are strays.
    forwarded : bool
        Whether all were strays once: of these a state contains no offsets.
    """
    numbers = {partition: index for index, partition in enumerate(records.stretches)}
    sources = [Source(records.topic, topic_id, p, first, last) for p, (first, last) in records.stretches.items()]
    given = Events(Batch([], [], [], [], sources))
    events, source, offsets, own = [], [], [], []
    anybody = bool(marks)
    for message in records.messages:
        stamp = message.timestamp()[1]
        try:
            records.refuse_poison(message)
            event = decode(kind, message.value(), message.key(), stamp, any_key=rekey)
            is_stray = rekey and not foreign and message.partition() != home(event.user)
            if not is_stray or len(message.value()) > LONGEST:
                _check_place(message, event.user, home, foreign)
        except InvalidEvent as error:
            given.letters.append((message, error))
            continue
        partition = message.partition()
        if anybody and _is_past(marks, event, message):
            given.skipped += 1
            continue
        if is_stray:
            given.strays.append(Stray(event.user, message))
            continue
        events.append(event)
        source.append(numbers[partition])
        offsets.append(message.offset())
        own.append(not forwarded and partition == home(event.user))
        given.stamps.append(stamp)
    given.batch = Batch(events, source, offsets, own, sources)
    return given


def decode_users(records: Records, home: Callable[[str], int], *, foreign: bool) -> Users:
    """Decode records of users; ``home`` and ``foreign`` as in :func:`decode_events`.

    A message without a value is the wish to be forgotten.
    """
    given = Users()
    for message in records.messages:
        try:
            records.refuse_poison(message)
            if message.value() is None and message.key():
                user = User(message.key().decode(), forget=True)
            else:
                user = decode(User, message.value(), message.key(), message.timestamp()[1])
            _check_place(message, user.user, home, foreign)
        except InvalidEvent as error:
            given.letters.append((message, error))
        except UnicodeDecodeError as error:
            given.letters.append((message, InvalidEvent("bad id", f"the key is no UTF-8: {error}")))
        else:
            if user.forget:
                told = any(name == FORGOTTEN for name, _ in message.headers() or ())
                stamp = message.timestamp()[1]
                given.wishes.append(Asked(user.user, message.partition(), message.offset(), stamp, told))
            else:
                given.records.append((user, message))
    return given


def _is_past(marks: Marks, event: Click | Rating | User, message: Any) -> bool:
    return marks.skips(event.user, message.topic(), message.partition(), message.offset(), message.timestamp()[1])


def _check_place(message: Any, user: str, home: Callable[[str], int], foreign: bool) -> None:
    if not foreign and message.partition() != home(user):
        raise InvalidEvent(
            "key is not the user",
            f"{user!r} lies on partition {message.partition()} and belongs on {home(user)}: set the producer's "
            "partitioner to murmur2_random",
        )
