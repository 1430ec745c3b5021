"""Events into Kafka from an event loop: whoever publishes waits for the acknowledgement, and nobody else for him."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Sequence
from functools import partial
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from contracts.events import KINDS, Event, encode
from contracts.tokens import Place
from infra.errors import BrokerError
from infra.settings import Settings
from serving.writing.publisher import Overloaded, Unpublished
from streams.kafka.producer import contract_properties, event_topics, key_of

_LINGER_MS = 1  # whoever waits for his own list has better uses for the time
_POLL_S = 0.2
_CLOSE_S = 5.0


class LivePublisher:
    """Sends events, and says where each stands; see :class:`serving.writing.publisher.Publisher`.

    Delivery reports come in a thread of its own. Kafka has acknowledged an event, on all replicas that are in sync,
    before whoever sent it hears of it; the client repeats what is lost on the way, in order and once.

    Parameters
    ----------
    settings : Settings
        With the broker's address, and how much may wait for how long.

    Raises
    ------
    BrokerError
        When ``kafka.client`` holds a property that the client does not know.
    """

    def __init__(self, settings: Settings) -> None:
        self._address, self._most = settings.kafka.bootstrap, settings.serving.publish_queue
        self._timeout_ms = settings.serving.publish_timeout_ms
        self._topics = {kind: topic for topic, kind in event_topics(settings).items()}
        self._names = {self._topics[kind]: name for name, kind in KINDS.items()}
        self._last_error = ""
        properties = contract_properties(settings, _LINGER_MS) | {
            "message.timeout.ms": self._timeout_ms,
            # Beyond `publish_queue`, which is looked at first, so that a request is taken whole or not at all.
            "queue.buffering.max.messages": 2 * self._most,
            "reconnect.backoff.max.ms": 1000,
            "error_cb": self._noticed,
        }
        try:
            self._client: Any = Producer(properties)
        except KafkaException as error:
            raise BrokerError(f"kafka.client cannot be used: {error.args[0].str()}") from error
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._listen, name="delivery reports", daemon=True)
        self._thread.start()

    async def publish(self, events: Sequence[Event]) -> list[Place]:
        """Send events in their order; see :class:`serving.writing.publisher.Publisher`."""
        if not events:
            return []
        if len(self._client) + len(events) > self._most:
            raise Overloaded(
                f"{len(self._client):,} events wait to be sent to Kafka and there is room for {self._most:,}: nothing "
                "of this was sent; try again later, or with fewer events"
            )
        batch = _Batch(len(events), asyncio.get_running_loop())
        for index, event in enumerate(events):
            self._send(batch, index, event)
        places = await batch.future
        if batch.failed:
            cause = f" ({self._last_error})" if self._last_error else ""
            raise Unpublished(
                f"Kafka has not acknowledged {batch.failed:,} of {len(events):,} events: {batch.reason}{cause}; send "
                "the same again, with the same Idempotency-Key or ids, and what did arrive counts once"
            )
        self._last_error = ""
        return places

    async def close(self) -> None:
        """Send what still waits, and let go of Kafka."""
        await asyncio.to_thread(self._client.flush, _CLOSE_S)
        self._ending.set()
        await asyncio.to_thread(self._thread.join)

    def _send(self, batch: _Batch, index: int, event: Event) -> None:
        topic = self._topics[type(event)]
        report = partial(self._delivered, batch, index)
        try:
            self._client.produce(topic, encode(event), key_of(event), on_delivery=report)
        except BufferError:
            batch.done(index, None, "the client's queue is full")
        except KafkaException as error:
            batch.done(index, None, error.args[0].str())

    def _delivered(self, batch: _Batch, index: int, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            batch.done(index, None, error.str())
        else:
            place = Place(self._names[message.topic()], message.partition(), message.offset())
            batch.done(index, place, "")

    def _listen(self) -> None:
        while not self._ending.is_set():
            self._client.poll(_POLL_S)

    def _noticed(self, error: KafkaError) -> None:
        self._last_error = error.str()


class _Batch:
    """The events of one call, of which reports come one by one, in another thread."""

    def __init__(self, size: int, loop: asyncio.AbstractEventLoop) -> None:
        self.future: asyncio.Future[list[Place]] = loop.create_future()
        self.failed, self.reason = 0, ""
        self._loop, self._waiting = loop, size
        self._places: list[Place | None] = [None] * size
        self._lock = threading.Lock()  # while some are being sent, reports of others come

    def done(self, index: int, place: Place | None, reason: str) -> None:
        """Note where an event stands, or why it does not."""
        with self._lock:
            self._places[index] = place
            if place is None:
                self.failed += 1
                self.reason = self.reason or reason
            self._waiting -= 1
            last = not self._waiting
        if last and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._answer)

    def _answer(self) -> None:
        if not self.future.done():  # else whoever asked has gone
            self.future.set_result([place for place in self._places if place is not None])
