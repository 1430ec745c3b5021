"""A batch of messages of one topic on its way from the consumer's thread to an agent."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import accumulate

import confluent_kafka as ck

from contracts.events import InvalidEvent


@dataclass(slots=True)
class Records:
    """Messages of one topic that came in one poll, of one or several partitions, in the order of their time stamps.

    Attributes
    ----------
    topic : str
        Full name.
    messages : list of confluent_kafka.Message
        Within a partition in the order of offsets.
    stretches : dict of int to (int, int)
        Partition → first and last offset.
    still : callable
        Returns the partitions that this worker has owned without interruption since the poll.
    done : callable
        To be called once their lists are written: makes room for the next batch.
    poison : mapping of (int, int) to str
        (Partition, offset) of messages that must not be applied → why, see :mod:`streams.applying.attempts`.
    alone : bool
        Whether nothing else may be applied, nor lists be made, together with them.
    """

    topic: str
    messages: list[ck.Message]
    stretches: dict[int, tuple[int, int]]
    still: Callable[[], frozenset[int]]
    done: Callable[[], None]
    poison: Mapping[tuple[int, int], str] = field(default_factory=dict)
    alone: bool = False

    def refuse_poison(self, message: ck.Message) -> None:
        """Raise InvalidEvent when a message must not be applied."""
        if self.poison:
            words = self.poison.get((message.partition(), message.offset()))
            if words is not None:
                raise InvalidEvent("poison", words)

    @property
    def next_offsets(self) -> dict[tuple[str, int], int]:
        """(topic, partition) → offset after the last message."""
        return {(self.topic, partition): last + 1 for partition, (_, last) in self.stretches.items()}

    def ours(self) -> Records:
        """Return what lies on partitions that are still this worker's."""
        still = self.still()
        if still >= self.stretches.keys():
            return self
        return replace(
            self,
            messages=[message for message in self.messages if message.partition() in still],
            stretches={number: stretch for number, stretch in self.stretches.items() if number in still},
        )


def by_topic(messages: list[ck.Message]) -> dict[str, dict[int, list[ck.Message]]]:
    """Group messages: topic → partition → messages in order."""
    grouped: dict[str, dict[int, list[ck.Message]]] = {}
    for message in messages:
        grouped.setdefault(message.topic(), {}).setdefault(message.partition(), []).append(message)
    return grouped


def merged(partitions: dict[int, list[ck.Message]]) -> list[ck.Message]:
    """Merge partitions by time stamp, never changing the order within one.

    A fetch brings partition after partition; applied in that order the stream would be another one than its publishers
    made.
    """
    if len(partitions) == 1:
        return next(iter(partitions.values()))
    timed: list[tuple[int, ck.Message]] = []
    for messages in partitions.values():
        # The running maximum keeps a partition in order where clocks went back.
        stamps = accumulate((message.timestamp()[1] for message in messages), max)
        timed.extend(zip(stamps, messages, strict=True))
    timed.sort(key=lambda pair: pair[0])
    return [message for _, message in timed]
