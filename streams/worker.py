"""The worker: a Faust app that wires consumer, agents, engine, learning log and store.

Everything it starts from is durable: the newest checkpoint of the item model, the learning log after it, the item
records, the user states, and the offsets that these contain.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import os
import socket
import sys
import time
from typing import Any

import confluent_kafka as ck
import faust
import mode
from faust.app.base import BootStrategy

from contracts.events import Click, Rating
from contracts.redis import DAY_S, Keys
from contracts.topics import CLICKS, ITEMS, LEARNING, RATINGS, USERS, topic_name
from infra.errors import BrokerError, HeadraceError
from infra.redis import connect
from infra.settings import Settings
from models.warmup import warm_up
from serving.store import Store
from streams.admin import topic_ids, topic_partitions
from streams.agents import declare
from streams.applier import Applier
from streams.barrier import Barrier
from streams.checkpoints import Checkpoints
from streams.consumer import GroupConsumer
from streams.deadletters import DeadLetters
from streams.engine import create_engine, limits_of
from streams.learning import LearningLog
from streams.lists import ListMaker
from streams.outbox import Outbox
from streams.ownership import Ownership
from streams.reader import TopicReader
from streams.replaying.durable import refuse_unfinished
from streams.shared import SharedLists
from streams.shelf import Shelf
from streams.status import Status

_FRESHEN_S = 0.1
# A worker that has been silent for so long is not coming back under the same name.
_FORGET_WORKERS_MS = 3600 * 1000
# Records of the learning log folded in one turn of the event loop.
_LOG_BATCH = 20
_BY_USER = ("clicks", "ratings", "users")
"""Topics keyed by user: a group member reads the same partitions of all of them."""


class _OwnConsumer(BootStrategy):
    """Agents run; Faust's own consumer, producer and web server do not."""

    enable_kafka_consumer = False
    enable_kafka_producer = False
    enable_web = False


class _App(faust.App):
    BootStrategy = _OwnConsumer


def create_app(settings: Settings) -> faust.App:
    """Return the Faust app of one worker; ``app.failure`` holds the error that ended it, if one did.

    Parameters
    ----------
    settings : Settings
        With the addresses of Kafka and Redis filled in.

    Raises
    ------
    HeadraceError
        When Kafka or Redis does not answer, or topics are missing or do not fit together.
    """
    app = _App(
        f"{settings.kafka.prefix}-{settings.namespace}",
        broker=f"kafka://{settings.kafka.bootstrap}",
        topic_allow_declare=False,
        topic_disable_leader=True,
        stream_wait_empty=False,
        datadir=str(settings.home_dir / "faust"),
    )
    app.failure = None
    app.service(_Worker(app, settings))
    return app


def run(settings: Settings, *, verbose: bool) -> BaseException | None:
    """Run a worker until SIGTERM or SIGINT; return the error that ended it, if one did.

    Parameters
    ----------
    settings : Settings
        With the addresses of Kafka and Redis filled in.
    verbose : bool
        Log what happens, not only what goes wrong.
    """
    app = create_app(settings)
    # A late turn of the event loop under load is what the window and the lag are for, not news.
    logging.getLogger("mode.timers").setLevel(logging.ERROR)
    # A thread that packs bytes for Redis must not keep the event loop waiting for 5 ms, Python's default.
    sys.setswitchinterval(0.001)
    worker = faust.Worker(app, loglevel="INFO" if verbose else "WARN", redirect_stdouts=False, quiet=not verbose)
    with contextlib.suppress(SystemExit):
        worker.execute_from_commandline()
    failure: BaseException | None = app.failure
    return failure


class _Worker(mode.Service):
    """Starts the parts in their order, keeps the clocks, stops the parts in the reverse order."""

    def __init__(self, app: faust.App, settings: Settings) -> None:
        super().__init__()
        self._app, self._settings = app, settings
        self._topics = {
            topic.name: topic_name(topic, settings.kafka.prefix, settings.namespace)
            for topic in (CLICKS, RATINGS, USERS, ITEMS, LEARNING)
        }
        self._user_topics = [self._topics[name] for name in _BY_USER]
        self._name = settings.worker.instance or f"{socket.gethostname()}-{os.getpid()}"
        self._ready = False
        self._loop: asyncio.AbstractEventLoop
        self._build(_same_partitions(settings, self._user_topics))

    def _build(self, partitions: int) -> None:
        settings, topics = self._settings, self._topics
        model, work = settings.model, settings.worker
        kafka = {"bootstrap.servers": settings.kafka.bootstrap, "log_level": 0, **settings.kafka.client}
        ids = topic_ids(settings, list(topics.values()))
        self._engine = create_engine(settings)
        self._store = Store(
            connect(settings.redis.url), Keys(settings.namespace, settings.redis.prefix), work.list_days * DAY_S
        )
        producer = ck.Producer(
            {"enable.idempotence": True, "linger.ms": 1, "compression.type": "zstd", "message.max.bytes": 5_000_000}
            | {"error_cb": lambda error: self.log.warning("kafka: %s", error.str())}
            | kafka
        )
        self._status = Status()
        self._outbox = Outbox(self._crash)
        self._log = LearningLog(self._engine, producer, topics["learning"], self.log.warning)
        letters = DeadLetters(producer, settings)
        self._shelf = Shelf(
            self._engine, self._store, self._log, self._outbox, letters, lambda reason: self._status.refused([reason])
        )
        self._shared = SharedLists(self._engine, model.list_length, model.category_lists)
        self._lists = ListMaker(
            self._engine, model.list_length, model.reasons, self._shared, lambda user: self._ownership.epoch(user),
            limits_of(settings),
        )  # fmt: skip
        self._applier = Applier(
            self._engine, self._store, self._log, self._outbox, letters, self._lists, self._status,
            kinds={topics["clicks"]: Click, topics["ratings"]: Rating},
            topic_ids=ids,
            partitions=partitions,
            score_every=model.score_every,
            in_flight=lambda: self._consumer.in_flight,
            warn=self.log.warning,
        )  # fmt: skip
        self._barrier = Barrier(
            self._engine, self._log, self._store, self._outbox, self._applier.home,
            lambda offsets: self._consumer.commit(offsets),
        )  # fmt: skip
        self._ownership = Ownership(self._engine.users, self._store, self._applier, self._barrier)
        self._checkpoints = Checkpoints(settings.checkpoints, self.log.warning)
        # Room for what the consumer may have in flight, so that its thread never waits for a channel.
        channels = {name: self._app.channel(maxsize=work.window + 1) for name in _BY_USER}
        declare(self._app, channels, self._applier)
        self._log_reader = TopicReader(topics["learning"], kafka, self._log.arrived, self._crash, batch=_LOG_BATCH)
        self._item_reader = TopicReader(topics["items"], kafka, self._shelf.put, self._crash)
        group = kafka | {
            "group.id": f"{settings.kafka.prefix}-{settings.namespace}",
            "session.timeout.ms": work.session_ms,
        }
        if work.instance:
            group["group.instance.id"] = work.instance
        self._consumer = GroupConsumer(
            {topics[name]: channels[name] for name in _BY_USER},
            self._ownership,
            group,
            batch=work.batch,
            window=work.window,
            linger_s=work.linger_ms / 1000,
            crash=self._crash,
        )

    # Start and stop.

    async def on_start(self) -> None:
        """Bring the model to the end of the log and take over the item records, then join the group."""
        self._loop = asyncio.get_running_loop()
        self._app.flow_control.resume()  # nobody else does while Faust's own consumer is off
        try:
            await asyncio.to_thread(warm_up)
            await self.add_runtime_dependency(self._outbox)
            await self._outbox.call(refuse_unfinished, self._settings)
            await self._outbox.call(self._store.forget_workers, time.time_ns() // 1_000_000 - _FORGET_WORKERS_MS)
            await self._recover_model()
            await self._recover_items()
            self._shared.resume(await self._outbox.call(self._store.categories))
            await self.add_runtime_dependency(self._consumer)
        except HeadraceError as error:
            self._crash(error)
            return
        gc.collect()
        gc.freeze()  # what is here now stays: later collections need not look through it
        self._ready = True
        self.log.info(
            "ready: %d items, log position %d", len(self._engine.items.catalogue), self._engine.items.position
        )

    async def on_stop(self) -> None:
        """Leave the group with everything durable, then write a last checkpoint."""
        if not self._ready or self._app.failure is not None:
            return
        self._ready = False
        await self._consumer.stop()
        await self._outbox.drained()
        await asyncio.to_thread(self._checkpoints.write, self._engine.items.state())
        await self._report()

    async def _recover_model(self) -> None:
        model = self._engine.items
        found = await asyncio.to_thread(self._checkpoints.restore, model)
        await self.add_runtime_dependency(self._log_reader)
        bounds = await asyncio.to_thread(self._log_reader.bounds)
        first, end = bounds[0]
        if not first <= model.position <= end:
            raise BrokerError(
                f"the learning log holds records {first} to {end} and the newest checkpoint ends at {model.position}: "
                "what lies between is lost; rebuild this namespace with `headrace replay`"
            )
        self.log.info("model: %s, %d records to read", "checkpoint" if found else "no checkpoint", end - model.position)
        self._log_reader.begin({0: model.position})
        await self._log_reader.caught_up.wait()

    async def _recover_items(self) -> None:
        await self.add_runtime_dependency(self._item_reader)
        bounds = await asyncio.to_thread(self._item_reader.bounds)
        self._shelf.resume(await self._outbox.call(self._store.applied, list(bounds)))
        self._item_reader.begin({partition: first for partition, (first, _) in bounds.items()})
        await self._item_reader.caught_up.wait()
        self._shelf.recovered()

    # Clocks.

    @mode.Service.task
    async def _pass_barriers(self) -> None:
        async for _ in self.itertimer(self._settings.worker.barrier_ms / 1000, name="barrier"):
            if self._ready and self._applier.applied:
                await self._ownership.make_durable()

    @mode.Service.task
    async def _refresh_shared(self) -> None:
        async for _ in self.itertimer(1.0, name="shared lists"):
            if self._ready:
                self._shelf.expire()
                # Waited for, so that they do not pile up while Redis is away.
                await self._written(self._lists.write_shared(self._store))

    @mode.Service.task
    async def _freshen(self) -> None:
        budget = round(self._settings.worker.freshened_per_s * _FRESHEN_S)
        async for _ in self.itertimer(_FRESHEN_S, name="freshen"):
            # Only when new events leave time for it.
            if self._ready and self._outbox.idle:
                self._put(self._lists.write_items(self._store))
                if budget:
                    await self._applier.freshen(budget)

    @mode.Service.task
    async def _report_often(self) -> None:
        async for _ in self.itertimer(0.5, name="status"):
            await self._report()

    @mode.Service.task
    async def _checkpoint_often(self) -> None:
        async for _ in self.itertimer(float(self._settings.model.checkpoint_s), name="checkpoint"):
            if self._ready:
                try:
                    await asyncio.to_thread(self._checkpoints.write, self._engine.items.state())
                except OSError as error:
                    self.log.error("checkpoint not written, the one before stays: %s", error)

    async def _report(self) -> None:
        value = self._status.encode(
            worker=self._name,
            pid=os.getpid(),
            ready=self._ready,
            namespace=self._settings.namespace,
            lag=self._consumer.lag,
            partitions=len(self._consumer.assigned),
            applied={f"{topic}/{partition}": offset for (topic, partition), offset in self._applier.applied.items()},
            log_position=self._engine.items.position,
            log_gaps=self._engine.items.gaps,
            log_skipped=self._log.skipped,
            learned=self._engine.items.events,
            barrier_age_ms=round((time.monotonic() - self._barrier.passed_at) * 1000),
            items=self._engine.items.catalogue.items,
            scorers=self._engine.items.scorers(),
            resident_users=len(self._engine.users),
        )
        try:
            await asyncio.to_thread(self._store.write_status, self._name, value)
        except Exception as error:  # the status must never be what stops a worker
            self.log.warning("status not written: %s", error)

    async def _written(self, write: Any) -> None:
        done = asyncio.Event()

        async def step() -> None:
            await self._outbox.call(write)
            done.set()

        self._outbox.put(step)
        await done.wait()

    def _put(self, write: Any) -> None:
        async def step() -> None:
            await self._outbox.call(write)

        self._outbox.put(step)

    def _crash(self, error: BaseException) -> None:
        """End the process; callable from any thread. What is durable stays, a restart goes on from there."""
        if self._app.failure is None:
            self._app.failure = error
            self._loop.call_soon_threadsafe(lambda: asyncio.ensure_future(self._app.crash(error)))


def _same_partitions(settings: Settings, topics: list[str]) -> int:
    counts = topic_partitions(settings, topics)
    if len(set(counts.values())) != 1:
        raise BrokerError(
            f"the user-keyed topics have different numbers of partitions ({counts}): a user's clicks and ratings would "
            "part; create them anew with equal numbers"
        )
    return counts[topics[0]]
