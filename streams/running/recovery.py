"""How a worker comes up: everything it starts from is durable.

The newest checkpoint of the item model, the learning log after it, the item records; then it may join the group. User
states, and the offsets that these contain, follow as partitions are assigned.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable

import mode

from infra import failpoints
from infra.errors import BrokerError
from streams.consuming.membership import partitions_changed
from streams.running.parts import Parts

# A worker that has been silent for so long is not coming back under the same name.
_FORGET_WORKERS_MS = 3600 * 1000


async def recover(
    parts: Parts, start: Callable[[mode.ServiceT], Awaitable[mode.ServiceT]], say: Callable[..., None]
) -> None:
    """Bring the model to the end of the log, take over the item records and the marks of forgotten people.

    Parameters
    ----------
    parts : Parts
    start : callable
        Starts a part.
    say : callable
        Of a logger.

    Raises
    ------
    HeadraceError
        When what is found does not fit together; the text names the remedy.
    """
    await start(parts.outbox)
    store = parts.store
    await parts.outbox.call(store.forget_workers, time.time_ns() // 1_000_000 - _FORGET_WORKERS_MS)
    made_for = await parts.outbox.call(store.remember_partitions, parts.partitions)
    if made_for != parts.partitions:
        raise BrokerError(partitions_changed("every topic keyed by user", parts.partitions, made_for))
    done = parts.status.start_up.done
    await _recover_model(parts, start, say)
    done("log")
    await _recover_items(parts, start)
    done("items")
    await _recover_marks(parts, start)
    done("marks")


async def _recover_model(
    parts: Parts, start: Callable[[mode.ServiceT], Awaitable[mode.ServiceT]], say: Callable[..., None]
) -> None:
    model, reader = parts.engine.items, parts.log_reader
    failpoints.before("restore")
    found = await asyncio.to_thread(parts.checkpoints.restore, model)
    failpoints.after("restore")
    parts.status.start_up.done("checkpoint")
    parts.neighbours.begin()
    await start(reader)
    bounds = await asyncio.to_thread(reader.bounds)
    first, end = bounds[0]
    if not first <= model.position <= end:
        raise BrokerError(
            f"the learning log holds records {first} to {end} and the newest checkpoint ends at {model.position}: "
            "what lies between is lost; rebuild this namespace with `headrace replay`"
        )
    say("model: %s, %d records to read", "checkpoint" if found else "no checkpoint", end - model.position)
    reader.begin({0: model.position})
    await reader.caught_up.wait()


async def _recover_items(parts: Parts, start: Callable[[mode.ServiceT], Awaitable[mode.ServiceT]]) -> None:
    reader = parts.item_reader
    await start(reader)
    bounds = await asyncio.to_thread(reader.bounds)
    parts.shelf.resume(await parts.outbox.call(parts.store.applied, list(bounds)))
    reader.begin({partition: first for partition, (first, _) in bounds.items()})
    await reader.caught_up.wait()


async def _recover_marks(parts: Parts, start: Callable[[mode.ServiceT], Awaitable[mode.ServiceT]]) -> None:
    reader = parts.mark_reader
    await start(reader)
    bounds = await asyncio.to_thread(reader.bounds)
    reader.begin({partition: first for partition, (first, _) in bounds.items()})
    await reader.caught_up.wait()
    await parts.forgetting.begin()
