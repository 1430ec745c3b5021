"""The learning log: one ordered topic through which everything that is learned about items goes.

A worker appends what its events teach and learns only what it reads back, so every worker folds the same records in the
same order. Reading is pulled by the event loop: lessons are folded before lists are made, and both before new input.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

import confluent_kafka as ck

from contracts.learning import Lessons, UnknownFormat, decode_lessons, encode_lessons
from infra import failpoints
from infra.errors import BrokerError
from models.engine import Engine

# Raised by one worker and not by the next.
_NOT_THE_RECORD = (MemoryError, OSError, RecursionError)


class LearningLog:
    """Appends lessons to the log, and folds what comes back.

    Parameters
    ----------
    engine : Engine
        Learns.
    producer : confluent_kafka.Producer
        Appends; idempotent, so that a retry within it does not append twice.
    topic : str
        Full name of the log.
    warn : callable
        Told of a record that cannot be learned.
    """

    def __init__(self, engine: Engine, producer: ck.Producer, topic: str, warn: Callable[[str], None]) -> None:
        self._engine, self._producer, self._topic, self._warn = engine, producer, topic, warn
        self._arrived: deque[ck.Message] = deque()
        self._failure: str | None = None
        self.skipped = 0

    def append(self, lessons: Lessons) -> None:
        """Hand lessons to the producer; they are durable after :meth:`flush`."""
        self.publish(self._topic, 0, None, encode_lessons(lessons))

    def publish(self, topic: str, partition: int, key: bytes | None, value: bytes | None, **more: Any) -> None:
        """Hand a message of ours for any topic to the producer; it is durable after :meth:`flush`, too."""
        while True:
            try:
                self._producer.produce(topic, value, key, partition, on_delivery=self._delivered, **more)
                break
            except BufferError:
                self._producer.poll(0.05)
        self._producer.poll(0)

    def flush(self) -> None:
        """Wait until Kafka has acknowledged everything appended.

        Raises
        ------
        BrokerError
            When a record was refused: nothing after it may become durable.
        """
        # Without a bound: while Kafka is away, nothing goes on, and nothing is lost.
        while self._producer.flush(1.0):
            self._check()
        self._check()

    def arrived(self, messages: list[ck.Message]) -> None:
        """Take messages of the log as the reader brings them, and learn them."""
        self._arrived.extend(messages)
        self.fold()

    def fold(self) -> None:
        """Learn everything that has arrived.

        A record that cannot be decoded is skipped by its offset, before anything of it is learned. So is what remains
        of one that raises while it is folded: folding is a function of the model's bytes and the record, so every
        worker, and every later fold of the log, stops at the same place of it and goes on with the same bytes. What
        depends on the machine and not on the record, as a lack of memory does, ends the process; so does a record of a
        newer format, because newer workers will have learned it.
        """
        while self._arrived:
            message = self._arrived.popleft()
            try:
                failpoints.before("fold")
                self._learn(message)
                failpoints.after("fold")
            except UnknownFormat as error:
                raise BrokerError(str(error)) from error
            except _NOT_THE_RECORD:
                raise
            except Exception as error:
                self._skip(message.offset(), error)

    @property
    def waiting(self) -> int:
        """Records read and not yet learned."""
        return len(self._arrived)

    def _learn(self, message: ck.Message) -> None:
        lessons = decode_lessons(message.value())
        self._engine.learn(lessons, message.offset())
        failpoints.study(lessons.items)

    def _skip(self, offset: int, error: Exception) -> None:
        self.skipped += 1
        self._warn(f"learning record {offset} is skipped: {type(error).__name__}: {error}")

    def _delivered(self, error: ck.KafkaError | None, message: ck.Message) -> None:
        if error is not None:
            self._failure = f"{message.topic()}: {error.str()}"

    def _check(self) -> None:
        if self._failure is not None:
            raise BrokerError(f"Kafka refused a message: {self._failure}")
