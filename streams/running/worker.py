"""The worker: a Faust app that starts the parts in their order, keeps the clocks, and stops the parts again.

:mod:`streams.running.parts` makes the parts, :mod:`streams.running.recovery` brings them up,
:mod:`streams.running.clocks` keeps them going.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import socket
import sys
from collections.abc import Mapping

import faust
import mode
from faust.app.base import BootStrategy
from prometheus_client import CollectorRegistry

from infra import logs
from infra.errors import HeadraceError
from infra.exposition import expose
from infra.settings import Settings
from streams.kafka.admin import Found
from streams.learning.checkpoints import digest
from streams.replaying.durable import refuse_unfinished
from streams.running.clocks import Clocks
from streams.running.parts import build
from streams.running.prepared import load_kernels
from streams.running.recovery import recover
from streams.running.watchdog import START_S, Watchdog, progress, services_answer, start_progress
from streams.watching import metrics
from streams.watching.startup import StartUp
from streams.watching.status import Status


class _OwnConsumer(BootStrategy):
    """Agents run; Faust's own consumer, producer and web server do not."""

    enable_kafka_consumer = False
    enable_kafka_producer = False
    enable_web = False


class _App(faust.App):
    BootStrategy = _OwnConsumer
    failure: BaseException | None = None

    def _crash(self, reason: BaseException) -> None:
        """End at once when a part has failed: mode would stop the others in order, and wait for what is not coming."""
        super()._crash(reason)
        if self.failure is None:
            _die(reason)


class _Process(faust.Worker):
    async def _sentinel_task(self) -> None:
        """End: mode sleeps for a second here, after everything has stopped."""


def create_app(settings: Settings, topics: Mapping[str, Found], start_up: StartUp) -> faust.App:
    """Return the Faust app of one worker; ``app.failure`` holds the error that ended it, if one did.

    Parameters
    ----------
    settings : Settings
        With the addresses of Kafka and Redis filled in.
    topics : mapping of str to Found
        Those of the deployment, by their full names.
    start_up : StartUp
        What the start has taken so far.

    Raises
    ------
    HeadraceError
        When Redis does not answer, topics do not fit together, or metrics cannot be served.
    """
    app = bare_app(settings)
    worker = _Worker(app, settings, topics, start_up)
    expose(worker.metrics(), settings.metrics)
    app.service(worker)
    return app


def bare_app(settings: Settings) -> faust.App:
    """Return the app without its parts: one that ends the process as soon as any part of it fails."""
    return _App(
        f"{settings.kafka.prefix}-{settings.namespace}",
        broker=f"kafka://{settings.kafka.bootstrap}",
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_wait_empty=False,
        datadir=str(settings.home_dir / "faust"),
    )


def run(settings: Settings, topics: Mapping[str, Found], start_up: StartUp, *, verbose: bool) -> BaseException | None:
    """Run a worker until SIGTERM or SIGINT; return the error that ended it, if one did.

    Parameters
    ----------
    settings : Settings
        With the addresses of Kafka and Redis filled in.
    topics : mapping of str to Found
        Those of the deployment, by their full names.
    start_up : StartUp
        What the start has taken so far.
    verbose : bool
        Log what happens, not only what goes wrong.
    """
    logs.configure(settings, _name(settings), verbose=verbose)
    app = create_app(settings, topics, start_up)
    # A late turn of the event loop under load is what the window and the lag are for, not news.
    logging.getLogger("mode.timers").setLevel(logging.ERROR)
    # A thread that packs bytes for Redis must not keep the event loop waiting for 5 ms, Python's default.
    sys.setswitchinterval(0.001)
    worker = _Process(app, override_logging=False, redirect_stdouts=False, quiet=True)
    with contextlib.suppress(SystemExit):
        worker.execute_from_commandline()
    failure: BaseException | None = app.failure
    return failure


class _Worker(mode.Service):
    """One worker, from its start to its end."""

    def __init__(self, app: faust.App, settings: Settings, topics: Mapping[str, Found], start_up: StartUp) -> None:
        super().__init__()
        self._app, self._settings = app, settings
        self._parts = build(app, settings, topics, Status(start_up), self.log.warning, _die)
        self._clocks = Clocks(self._parts, settings, _name(settings))
        self._stalled_s = stalled_s = settings.worker.stalled_s
        parts, clocks = self._parts, self._clocks
        self._watchdog = Watchdog(
            stalled_s, lambda: progress(parts), lambda: services_answer(settings, parts.store), _die
        )
        self._start_watchdog = Watchdog(
            max(stalled_s, START_S),
            lambda: start_progress(parts, clocks.ready),
            lambda: services_answer(settings, parts.store),
            _die,
            "the start has stood still for {:.0f} s",
        )

    def metrics(self) -> CollectorRegistry:
        """Return what Prometheus may read of it."""
        return metrics.registry(lambda: self._clocks.said, self._parts.status)

    async def on_start(self) -> None:
        """Bring the model to the end of the log and take over the item records, then join the group."""
        self._app.flow_control.resume()  # nobody else does while Faust's own consumer is off
        items = self._parts.engine.items
        if self._stalled_s:
            self._start_watchdog.start()
        try:
            self._parts.status.start_up.done("app")
            await asyncio.to_thread(refuse_unfinished, self._settings)
            await self.add_runtime_dependency(self._clocks)
            await recover(self._parts, self.add_runtime_dependency, load_kernels, self.log.info)
            await self.add_runtime_dependency(self._parts.consumer)
        except HeadraceError as error:
            self._app.failure = error
            self._ending = asyncio.create_task(self._app.crash(error))  # in order: nothing was begun that could be half
            return
        except Exception as error:  # the checkpoints' bucket does not answer, a programming error
            _die(error)
        gc.collect()
        gc.freeze()  # what is here now stays: later collections need not look through it
        self._clocks.ready = True
        if self._stalled_s:
            self._start_watchdog.stop()
            self._watchdog.start()
        self.log.info("ready: %d items, log position %d", len(items.catalogue), items.position)

    async def on_stop(self) -> None:
        """Leave the group with everything durable, then write a last checkpoint."""
        if not self._clocks.ready or self._app.failure is not None:
            return
        self._clocks.ready = False
        steward = self._parts.epochs.steward
        await self._parts.consumer.stop()
        await self._parts.outbox.drained()
        await self._clocks.checkpoint(steward)
        await self._clocks.stop()
        state = self._parts.engine.items.state()
        await self._clocks.report(model_digest=await asyncio.to_thread(digest, state))


def _name(settings: Settings) -> str:
    """Return what a worker calls itself."""
    return settings.worker.instance or f"{socket.gethostname()}-{os.getpid()}"


def _die(error: BaseException) -> None:
    """End the process with the error's words as its last; callable from any thread. A restart goes on.

    At once: an orderly stop would make durable what an exception has left half applied. And a start that waits for what
    a dead thread was to bring would wait for ever.
    """
    logs.last_words("headrace worker", error)
    os._exit(1)
