"""A learning log on the benchmark's broker, written and read by the worker's own classes."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable

import confluent_kafka as ck
from confluent_kafka.admin import AdminClient, NewTopic

from benchmarks.parts.place import Place
from contracts.learning import Lessons
from models.engine import Engine
from streams.kafka.ends import kept_offsets
from streams.kafka.reader import TopicReader
from streams.learning.log import LearningLog

_RECORDS_AT_ONCE = 20  # as the worker reads them


class Log:
    """One log of one partition.

    Parameters
    ----------
    place : Place
        With the embedded broker, whose files are measured.
    name : str
        Of the topic, a new one.
    compression : str
        Kafka's ``compression.type``.
    """

    def __init__(self, place: Place, name: str, compression: str = "zstd") -> None:
        self._name = name
        self._kafka = {"bootstrap.servers": place.bootstrap, "log_level": 0}
        self._folder = place.settings.home_dir / "kafka" / "logs" / f"{name}-0"
        admin = AdminClient(self._kafka)  # kept until it has answered
        admin.create_topics([NewTopic(name, 1, 1)])[name].result(10)
        # The worker's own properties.
        self._producer = ck.Producer(
            {"enable.idempotence": True, "linger.ms": 1, "compression.type": compression}
            | {"message.max.bytes": 5_000_000}
            | self._kafka
        )

    def learning(self, engine: Engine) -> LearningLog:
        """Return what appends to the log, and folds what comes back into this engine."""
        return LearningLog(engine, self._producer, self._name, lambda warning: sys.exit(warning))

    def append(self, records: Iterable[Lessons], *, each: bool = False) -> None:
        """Append records and wait until Kafka has them, or wait for ``each`` before the next is sent."""
        learning = self.learning(Engine())
        for record in records:
            learning.append(record)
            if each:
                learning.flush()
        learning.flush()

    async def read(self, deliver: Callable[[list[ck.Message]], None]) -> TopicReader:
        """Start to read the log from its beginning."""
        reader = TopicReader(
            self._name, self._kafka, deliver, lambda error: sys.exit(repr(error)), batch=_RECORDS_AT_ONCE
        )
        await reader.start()
        reader.begin({0: kept_offsets(self._kafka, [(self._name, 0)])[self._name, 0]})
        return reader

    async def read_whole(self, deliver: Callable[[list[ck.Message]], None]) -> float:
        """Read to the present end; return how many seconds it took."""
        began = time.perf_counter()
        reader = await self.read(deliver)
        await reader.caught_up.wait()
        seconds = time.perf_counter() - began
        await reader.stop()
        return seconds

    def bytes_on_disk(self) -> int:
        """Return the size of its segments."""
        return sum(file.stat().st_size for file in self._folder.glob("*.log"))
