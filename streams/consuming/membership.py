"""Being a member of the consumer group: what happens as it assigns partitions and takes them back.

In classic groups (``range``) every change takes all partitions from everybody and assigns them anew. Under KIP-848 only
what moves is revoked, and the rest goes on. All of this runs in the consumer's thread, within its ``poll`` or
``consume``; of the consumer it calls nothing that asks for metadata, since that would end the process at the next
callback of the same call (the client keeps one call in mind for each consumer).

One ``consume`` may fetch messages, give their partitions up and take them again before it returns: they are read anew
then, and must not be applied as well. So partitions that were taken stand still until :meth:`Membership.begin`, after
the call: whatever it returns of them is of before.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Protocol

import confluent_kafka as ck

from infra.errors import BrokerError
from infra.settings import Worker
from streams.consuming.sources import partitions_changed
from streams.consuming.tenure import Partition, Tenures

# How long a revoke or a stop may wait for batches in flight; far below max.poll.interval.ms (5 minutes).
DRAIN_S = 30.0
_TIMEOUT_S = 30.0
_LONGEST_HEARTBEAT_MS = 3000

_log = logging.getLogger(__name__)


class Owner(Protocol):
    """What the consumer asks of the worker."""

    def take(self, partitions: list[Partition], committed: Mapping[Partition, int]) -> dict[Partition, int]:
        """Become the owner of partitions; return from which offsets to read. Called in the consumer's thread."""

    def release(self, numbers: frozenset[int]) -> Coroutine[Any, Any, dict[Partition, int]]:
        """Make everything applied durable and let go of some numbers; return their offsets to commit."""

    def lose(self, numbers: frozenset[int]) -> Coroutine[Any, Any, None]:
        """Forget everything of some numbers, durable or not."""


Drain = Callable[[ck.Consumer, Callable[[], Mapping[Partition, int]]], None]
"""Waits for what is in flight, calls what makes it durable, and commits the offsets that this returns."""


class Membership:
    """One membership, from joining to leaving.

    Parameters
    ----------
    consumer : confluent_kafka.Consumer
    tenures : Tenures
    owner : Owner
    loop : asyncio.AbstractEventLoop
        In which the owner's coroutines run.
    drain : callable
    partitions : int
        That each topic must have.
    incremental : bool
        Whether the group protocol moves single partitions.
    """

    def __init__(
        self,
        consumer: ck.Consumer,
        tenures: Tenures,
        owner: Owner,
        loop: asyncio.AbstractEventLoop,
        drain: Drain,
        *,
        partitions: int,
        incremental: bool,
    ) -> None:
        self._consumer, self._tenures, self._owner, self._loop = consumer, tenures, owner, loop
        self._drain, self._partitions, self._incremental = drain, partitions, incremental
        self._waiting: set[Partition] = set()  # assigned and paused, until the others of their number are
        self._taken: frozenset[int] = frozenset()  # paused until the call is over that took them

    def on_assign(self, consumer: ck.Consumer, parts: list[ck.TopicPartition]) -> None:
        """Start the numbers that are complete; the other parts wait for theirs."""
        new = {(part.topic, part.partition) for part in parts}
        for topic, number in new:
            if number >= self._partitions:
                raise BrokerError(partitions_changed(topic, number + 1, self._partitions))
        numbers = self._tenures.assign(new) - self._taken
        begin = {place for place in new | self._waiting if place[1] in numbers}
        starts = self._take(begin) if begin else {}
        self._taken |= numbers
        earlier = begin & self._waiting
        if earlier:  # assigned anew with the rest, since only then it is known where to start
            consumer.incremental_unassign([ck.TopicPartition(*place) for place in earlier])
        given = [ck.TopicPartition(*place, starts.get(place, ck.OFFSET_BEGINNING)) for place in new | earlier]
        self._waiting = (self._waiting | new) - begin
        if self._incremental:
            consumer.incremental_assign(given)
        else:
            consumer.assign(given)
        still = self._waiting | begin
        if still:
            consumer.pause([ck.TopicPartition(*place) for place in still])

    def begin(self) -> None:
        """Start to work on what was taken; for when what a call of the consumer returned has been looked at."""
        numbers, self._taken = self._taken, frozenset()
        if numbers:
            self._tenures.start(numbers)
            parts = (place for place in self._tenures.assigned if place[1] in numbers)
            self._consumer.resume([ck.TopicPartition(*place) for place in parts])

    def on_revoke(self, _: ck.Consumer, parts: list[ck.TopicPartition]) -> None:
        """Let go in order: what was applied becomes durable and is committed."""
        self._let_go({(part.topic, part.partition) for part in parts})

    def on_lost(self, _: ck.Consumer, parts: list[ck.TopicPartition]) -> None:
        """Forget: others may own them already, and go on from what is durable."""
        _log.warning("kafka: thrown out of the group; going on from what is durable")
        places = {(part.topic, part.partition) for part in parts}
        self.begin()
        self._waiting -= places
        numbers = self._tenures.revoke(places)
        self._tenures.end(numbers)
        asyncio.run_coroutine_threadsafe(self._owner.lose(numbers), self._loop).result(DRAIN_S)

    def leave(self) -> None:
        """Let go of everything in order, before the consumer is closed."""
        self._let_go(set(self._tenures.assigned))

    def _take(self, places: set[Partition]) -> dict[Partition, int]:
        asked = [ck.TopicPartition(*place) for place in sorted(places)]
        committed = {
            (part.topic, part.partition): part.offset
            for part in self._consumer.committed(asked, timeout=_TIMEOUT_S)
            if part.offset >= 0
        }
        return self._owner.take(sorted(places), committed)

    def _let_go(self, places: set[Partition]) -> None:
        self.begin()
        self._waiting -= places
        numbers = self._tenures.revoke(places)
        if numbers:
            self._drain(self._consumer, lambda: self._released(numbers))
            self._tenures.end(numbers)
            # Of a number that goes on being assigned in part, the rest waits as if it had just come.
            rest = {place for place in self._tenures.assigned if place[1] in numbers}
            self._waiting |= rest
            if rest:
                self._consumer.pause([ck.TopicPartition(*place) for place in rest])

    def _released(self, numbers: frozenset[int]) -> dict[Partition, int]:
        return asyncio.run_coroutine_threadsafe(self._owner.release(numbers), self._loop).result(DRAIN_S)


def group_properties(group: str, worker: Worker) -> dict[str, Any]:
    """Return the librdkafka properties of a member.

    Of all assignors only these two leave equal partition numbers of all topics to one member, so that a user's clicks
    and ratings stay together: ``range`` of the classic protocol, and the broker's ``range`` of KIP-848.

    Parameters
    ----------
    group : str
        Its id.
    worker : Worker
        The settings.
    """
    if worker.group_protocol == "consumer":
        # How long a session and a heartbeat last is the broker's to say; a client that says so too is refused.
        return {"group.id": group, "group.protocol": "consumer", "group.remote.assignor": "range"}
    properties = {
        "group.id": group,
        "partition.assignment.strategy": "range",
        "session.timeout.ms": worker.session_ms,
        "heartbeat.interval.ms": min(_LONGEST_HEARTBEAT_MS, worker.session_ms // 3),
    }
    return properties | ({"group.instance.id": worker.instance} if worker.instance else {})
