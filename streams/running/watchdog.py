"""Ends a worker that stands still for no reason: there is input, and nothing becomes durable; or it does not come up.

A worker that waits for Kafka or Redis is right to wait. One whose event loop or threads wait for each other is not, and
a supervisor's restart mends it. So the watchdog looks from a thread of its own, and asks both services itself.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Hashable
from typing import NamedTuple

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from infra.errors import HeadraceError
from infra.settings import Settings
from serving.store.store import Store
from streams.running.parts import Parts

_ANSWER_S = 5.0
START_S = 300
"""For how long a start may stand still, in seconds, at least: compiling the kernels is one step of it."""


class Progress(NamedTuple):
    """How far a worker is.

    Attributes
    ----------
    waiting : bool
        Whether there is input that is not durable yet.
    durable : hashable
        Another value whenever something became durable.
    """

    waiting: bool
    durable: Hashable


class Watchdog:
    """Watches a worker.

    Parameters
    ----------
    stalled_s : float
        How long it may stand still.
    look : callable
        Returns how far it is; from any thread.
    services_answer : callable
        Returns whether it could go on.
    end : callable
        Ends the process.
    what : str
        What to say of one that stands still, with a place for how long.
    """

    def __init__(
        self,
        stalled_s: float,
        look: Callable[[], Progress],
        services_answer: Callable[[], bool],
        end: Callable[[BaseException], None],
        what: str = "nothing became durable for {:.0f} s though there is input",
    ) -> None:
        self._stalled_s, self._look, self._answer, self._end = stalled_s, look, services_answer, end
        self._what, self._over = what, threading.Event()

    def start(self) -> None:
        """Watch from now on, until :meth:`stop` or the end of the process."""
        threading.Thread(target=self._watch, name="watchdog", daemon=True).start()

    def stop(self) -> None:
        """Watch no more."""
        self._over.set()

    def _watch(self) -> None:
        before, since = self._look(), time.monotonic()
        while not self._over.wait(min(1.0, self._stalled_s / 4)):
            now = self._look()
            if now.durable != before.durable or not now.waiting:
                before, since = now, time.monotonic()
            elif time.monotonic() - since > self._stalled_s:
                if self._answer():
                    self._end(
                        HeadraceError(
                            f"{self._what.format(self._stalled_s)} and Kafka and Redis answer: ended, to be started "
                            "again (worker.stalled_s)"
                        )
                    )
                since = time.monotonic()


def progress(parts: Parts) -> Progress:
    """Return how far a worker is."""
    waiting = parts.consumer.lag > 0 or parts.consumer.in_flight > 0
    return Progress(waiting, frozenset(parts.epochs.applied.copy().items()))


def start_progress(parts: Parts, ready: bool) -> Progress:
    """Return how far a worker is that comes up."""
    delivered = [reader.delivered for reader in (parts.log_reader, parts.item_reader, parts.mark_reader)]
    return Progress(not ready, (len(parts.status.start_up.ms), *delivered))


def services_answer(settings: Settings, store: Store) -> bool:
    """Return whether Kafka answers and Redis takes writes."""
    try:
        client = AdminClient({"log_level": 0, **settings.kafka.client, "bootstrap.servers": settings.kafka.bootstrap})
        client.list_topics(timeout=_ANSWER_S)
    except KafkaException:
        return False
    return store.takes_writes()
