"""What was fetched and is not handed over yet: it grows while earlier batches are at work, so that load makes batches.

A batch costs some milliseconds however few events are in it. Handed over as they come, few events would queue up behind
few others; gathered meanwhile, they are applied together once there is room for them.
"""

from __future__ import annotations

from collections.abc import Callable

import confluent_kafka as ck

from streams.consuming.records import Records, by_topic, merged
from streams.consuming.tenure import Tenures


class Gathered:
    """Messages by topic and partition, each partition's with the tenure in which they were fetched.

    Parameters
    ----------
    tenures : Tenures
        Of the partition numbers at work; messages of others are dropped.
    done : callable
        What becomes ``done`` of the batches.
    """

    def __init__(self, tenures: Tenures, done: Callable[[], None]) -> None:
        self._tenures, self._done = tenures, done
        self._by_topic: dict[str, dict[int, tuple[int, list[ck.Message]]]] = {}
        self._n = 0

    def __len__(self) -> int:
        return self._n

    def add(self, messages: list[ck.Message]) -> None:
        """Take messages without errors, of each partition behind those taken before."""
        for topic, partitions in by_topic(messages).items():
            held = self._by_topic.setdefault(topic, {})
            # Of numbers that are not complete a message may have been fetched before they were paused.
            for number, tenure in self._tenures.since(partitions).items():
                since, earlier = held.get(number, (tenure, []))
                if since != tenure:  # the partition was let go and taken again: it is read anew from its start
                    self._n -= len(earlier)
                    earlier = []
                held[number] = tenure, earlier + partitions[number]
                self._n += len(partitions[number])

    def take(self) -> list[Records]:
        """Return a batch of each topic, and hold nothing any more."""
        taken, self._by_topic, self._n = self._by_topic, {}, 0
        return [self._batch(topic, held) for topic, held in taken.items() if held]

    def _batch(self, topic: str, held: dict[int, tuple[int, list[ck.Message]]]) -> Records:
        tenures = {number: tenure for number, (tenure, _) in held.items()}
        partitions = {number: messages for number, (_, messages) in held.items()}
        stretches = {number: (each[0].offset(), each[-1].offset()) for number, each in partitions.items()}
        return Records(topic, merged(partitions), stretches, lambda: self._tenures.still(tenures), self._done)
