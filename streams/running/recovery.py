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
from streams.consuming.sources import partitions_changed
from streams.kafka.ends import kept_offsets
from streams.kafka.reader import TopicReader
from streams.running.parts import Parts

# A worker that has been silent for so long is not coming back under the same name.
_FORGET_WORKERS_MS = 3600 * 1000


async def recover(
    parts: Parts,
    start: Callable[[mode.ServiceT], Awaitable[mode.ServiceT]],
    prepare: Callable[[], None],
    say: Callable[..., None],
) -> None:
    """Bring the model to the end of the log, take over the item records and the marks of forgotten people.

    What only waits for Kafka and Redis is asked while the kernels are loaded.

    Parameters
    ----------
    parts : Parts
    start : callable
        Starts a part.
    prepare : callable
        Loads the kernels; blocks.
    say : callable
        Of a logger.

    Raises
    ------
    HeadraceError
        When what is found does not fit together; the text names the remedy.
    """
    done = parts.status.start_up.done
    readers = parts.log_reader, parts.item_reader, parts.mark_reader
    for part in (parts.outbox, *readers):
        await start(part)
    _, bounds, handled = await asyncio.gather(
        asyncio.to_thread(prepare), asyncio.to_thread(_bounds, parts, *readers), _agree_with_store(parts)
    )
    done("kernels")
    log = await _restore(parts, bounds[parts.log_reader.topic][0], say)
    done("checkpoint")
    parts.mark_reader.begin(bounds[parts.mark_reader.topic])
    parts.log_reader.begin({0: log})
    await parts.log_reader.caught_up.wait()
    done("log")
    # Behind the log, because it says which items are news.
    parts.shelf.resume(handled)
    parts.item_reader.begin(bounds[parts.item_reader.topic])
    await parts.item_reader.caught_up.wait()
    done("items")
    await parts.mark_reader.caught_up.wait()
    first, _ = bounds[parts.mark_reader.topic][0]
    await parts.forgetting.begin(first)
    done("marks")


def _bounds(parts: Parts, *readers: TopicReader) -> dict[str, dict[int, tuple[int, int]]]:
    """Return of the topics that readers read whole, by partition, which offsets they hold now."""
    topics = [reader.topic for reader in readers]
    places = [(topic, number) for topic in topics for number in range(parts.topics[topic].partitions)]
    kept = kept_offsets(parts.kafka, places)
    return {topic: {number: kept[of, number] for of, number in places if of == topic} for topic in topics}


async def _agree_with_store(parts: Parts) -> dict[tuple[str, int], int]:
    """See that the store was made for these topics; return what it says of the item records."""
    call, store = parts.outbox.call, parts.store
    await call(store.forget_workers, time.time_ns() // 1_000_000 - _FORGET_WORKERS_MS)
    made_for = await call(store.remember_partitions, parts.partitions)
    if made_for != parts.partitions:
        raise BrokerError(partitions_changed("every topic keyed by user", parts.partitions, made_for))
    return await call(store.applied, range(parts.topics[parts.item_reader.topic].partitions))


async def _restore(parts: Parts, log: tuple[int, int], say: Callable[..., None]) -> tuple[int, int]:
    """Bring the model to the newest checkpoint; return from where to where the log is to be read.

    ``log`` says which offsets it held before.
    """
    model, (first, end) = parts.engine.items, log
    failpoints.before("restore")
    found = await asyncio.to_thread(parts.checkpoints.restore, model)
    failpoints.after("restore")
    parts.neighbours.begin()
    if model.position > end:  # another worker has written it just now
        bounds = await asyncio.to_thread(_bounds, parts, parts.log_reader)
        first, end = bounds[parts.log_reader.topic][0]
    if not first <= model.position <= end:
        raise BrokerError(
            f"the learning log holds records {first} to {end} and the newest checkpoint ends at {model.position}: "
            "what lies between is lost; rebuild this namespace with `headrace replay`"
        )
    say("model: %s, %d records to read", "checkpoint" if found else "no checkpoint", end - model.position)
    return model.position, end
