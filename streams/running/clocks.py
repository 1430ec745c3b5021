"""What a worker does by the clock: barriers, lists for everybody, neighbours, older lists, its status, checkpoints."""

from __future__ import annotations

import asyncio
import os
import time
from typing import Any

import mode
import orjson

from infra.memory import resident_mb
from infra.settings import Settings
from streams.running.parts import Parts

_FRESHEN_S = 0.1
_PASSED_OVER = 9  # turns in a row, at most
_SHARED_S = 1.0
_REPORT_S = 0.5


class Clocks(mode.Service):
    """Keeps the clocks of a worker that is up.

    Parameters
    ----------
    parts : Parts
    settings : Settings
    name : str
        What the worker calls itself.

    Attributes
    ----------
    ready : bool
        Whether the worker is up; set by it. Until then only its status is written.
    said : dict
        What the worker last said of itself; empty before the first time.
    """

    def __init__(self, parts: Parts, settings: Settings, name: str) -> None:
        super().__init__()
        self._parts, self._settings, self._name = parts, settings, name
        self.ready = False
        self.checkpoint_errors = 0
        self.said: dict[str, Any] = {}

    @mode.Service.task
    async def _pass_barriers(self) -> None:
        async for _ in self.itertimer(self._settings.worker.barrier_ms / 1000, name="barrier"):
            if self.ready and self._parts.applier.applied:
                await self._parts.ownership.make_durable()

    @mode.Service.task
    async def _refresh_shared(self) -> None:
        async for _ in self.itertimer(_SHARED_S, name="shared lists"):
            if self.ready:
                await self._parts.steward.turn()

    @mode.Service.task
    async def _freshen(self) -> None:
        budget, passed_over = round(self._settings.worker.freshened_per_s * _FRESHEN_S), 0
        async for _ in self.itertimer(_FRESHEN_S, name="freshen"):
            # Only when new events leave time for it; where they never do, once in a while all the same.
            busy = self._parts.consumer.in_flight > 0 and passed_over < _PASSED_OVER
            passed_over = passed_over + 1 if busy else 0
            if self.ready and self._parts.outbox.idle and not busy:
                await self._parts.steward.write_neighbours()
                if budget:
                    await self._parts.applier.freshen(budget)

    @mode.Service.task
    async def _report_often(self) -> None:
        async for _ in self.itertimer(_REPORT_S, name="status"):
            await self.report()

    @mode.Service.task
    async def _checkpoint_often(self) -> None:
        async for _ in self.itertimer(float(self._settings.model.checkpoint_s), name="checkpoint"):
            if self.ready:
                await self.checkpoint(self._parts.epochs.steward)

    async def checkpoint(self, epoch: int | None) -> None:
        """Write a checkpoint, if ``epoch`` still is that of the owner of partition 0."""
        try:
            await self._parts.steward.write_checkpoint(epoch)
        except OSError as error:
            self.checkpoint_errors += 1
            self.log.error("checkpoint not written, the one before stays: %s", error)

    async def report(self, **more: Any) -> None:
        """Write what the worker says of itself."""
        parts = self._parts
        items = parts.engine.items
        self.said = parts.status.report(
            worker=self._name,
            pid=os.getpid(),
            ready=self.ready,
            namespace=self._settings.namespace,
            lag=parts.consumer.lag,
            lags={f"{topic}/{partition}": lag for (topic, partition), lag in parts.consumer.lags.items()},
            partitions=len(parts.consumer.assigned),
            numbers=sorted(parts.epochs.now),
            rejoined=parts.consumer.rejoined,
            applied={f"{topic}/{partition}": offset for (topic, partition), offset in parts.applier.applied.items()},
            log_position=items.position,
            log_gaps=items.gaps,
            log_skipped=parts.log.skipped,
            checkpoint_errors=self.checkpoint_errors,
            learned=items.events,
            barrier_age_ms=round((time.monotonic() - parts.barrier.passed_at) * 1000),
            items=items.catalogue.items,
            # Not of a model that is just being restored, in another thread.
            coverage=parts.lists.coverage() if self.ready else 0.0,
            scorers=items.scorers() if self.ready else {},
            resident_users=len(parts.engine.users),
            resident_mb=resident_mb(),
            waiting_batches=parts.consumer.in_flight,
            **more,
        )
        value = orjson.dumps(self.said)
        try:
            await asyncio.to_thread(parts.store.write_status, self._name, value)
        except Exception as error:  # the status must never be what stops a worker
            self.log.warning("status not written: %s", error)
