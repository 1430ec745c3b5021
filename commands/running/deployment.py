"""Broker, store, topics, one worker and the HTTP service on this machine, for as long as a command needs them."""

from __future__ import annotations

import time
from contextlib import ExitStack
from types import TracebackType
from typing import Any, Self

from rich.console import Console

from commands.reading import ask
from commands.running.child import WorkerChild
from commands.running.live import step
from commands.running.service import ServiceChild
from infra.errors import StoreError
from infra.jars import kafka_jars
from infra.local import LocalServices
from infra.settings import Settings
from streams.kafka.admin import ensure_topics

_LOOK_S, _STAY_S = 0.05, 0.5


class Deployment:
    """Starts everything that a worker needs, and the worker; ends what it started after the block.

    Parameters
    ----------
    settings : Settings
    options : list of str
        Of ``headrace worker``, those that lead to the same settings.
    fresh : bool
        Clear what the data directory holds first.
    console : Console
        Told of each step.

    Attributes
    ----------
    settings : Settings
        Within the block: with the addresses of broker and store.
    page : str
        Within the block: the address of the live page.
    """

    def __init__(self, settings: Settings, options: list[str], fresh: bool, console: Console) -> None:
        self.settings = settings
        self._console = console
        self._services = LocalServices(settings, fresh=fresh)
        self._worker = WorkerChild(settings, options)
        self._options = options
        self._service: ServiceChild | None = None
        self.page = ""
        self._running = ExitStack()
        self._report: dict[str, Any] = {}

    def __enter__(self) -> Self:
        with ExitStack() as stack:  # ends what has started where the rest cannot
            stack.enter_context(self._worker)  # first, because it compiles while the broker starts
            if not self.settings.kafka.bootstrap:
                kafka_jars()  # here, because a download shows a line of its own
            with step(self._console, "Kafka and Redis") as done:
                self.settings = stack.enter_context(self._services)
                done.append(f"{self.settings.kafka.bootstrap} and {self.settings.redis.url}")
            with step(self._console, "Topics") as done:
                done += ensure_topics(self.settings)
            service = stack.enter_context(ServiceChild(self.settings, self._options))
            with step(self._console, "Worker", "its first start compiles, for half a minute"):
                self._worker.go()
                while not self.report().get("partitions"):
                    self.check()
                    time.sleep(_LOOK_S)
                self._worker.keep()
            with step(self._console, "Live page") as done:
                service.wait()
                done.append(service.url)
            self._service, self.page = service, service.url
            self._running = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._running.__exit__(kind, error, trace)

    def check(self) -> None:
        """Start the worker again when it has crashed, and say so; raise when the service, broker or store has ended.

        Raises
        ------
        HeadraceError
            With the last words of what has ended; of the worker, when it does not come up or crashes again and again.
        """
        self._services.check()
        said = self._worker.check()
        if said:
            self._console.print(said, style="yellow")
        if self._service:
            self._service.check()

    def stay(self) -> None:
        """Wait until something ends by itself, or a signal interrupts.

        Raises
        ------
        HeadraceError
            As :meth:`check`.
        """
        while True:
            self.check()
            time.sleep(_STAY_S)

    def report(self) -> dict[str, Any]:
        """Return what the worker last said of itself (``streams.watching.status``); nothing before its first word."""
        name = self._worker.name
        try:
            report = ask(self.settings, lambda reader: reader.status(name))
        except StoreError:  # busy, or gone: check() says so
            report = None
        if report and self._worker.has_said(report):
            self._report = report
        return self._report

    def end_worker(self) -> dict[str, Any]:
        """Let the worker leave with everything durable, and return its last report."""
        self._worker.stop()
        return self.report()
