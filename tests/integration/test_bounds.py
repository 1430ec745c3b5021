"""What is kept is bounded: idle users leave Redis, batches wait in Kafka, and a worker says what it holds."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Any

from contracts.events import Click
from contracts.topics import CLICKS, partition_of, topic_name
from infra.settings import Settings
from models.user_state import decode_state
from streams.consuming.consumer import GroupConsumer
from streams.consuming.membership import group_properties
from streams.consuming.records import Records
from streams.kafka.admin import ensure_topics
from tests.worker import TIMEOUT_S, Worker, configured, publish, working

Partition = tuple[str, int]


def keys(worker: Worker, user: str) -> tuple[str, str, str]:
    """The keys of a user's list, vector and state."""
    home = partition_of(user, worker.settings.kafka.partitions)
    return worker.keys.top(user), worker.keys.user_vector(user), worker.keys.state(home, user)


def lives(worker: Worker, user: str) -> list[int]:
    """For how long these live, in ms."""
    return [worker.store.pttl(key) for key in keys(worker, user)]  # type: ignore[misc]


def settled(worker: Worker, *events: Click) -> dict[str, Any]:
    publish(worker.settings, *events)
    return worker.wait_until_applied()


def test_every_event_renews_the_lives_of_list_vector_and_state_and_nothing_else_does(settings: Settings) -> None:
    day = 86_400
    with working(settings, f"list_days = {60 / day:.9f}\nstate_days = {600 / day:.9f}\n") as worker:
        status = settled(worker, *(Click(f"u{n}", f"i{n % 5}") for n in range(20)), Click("ann", "i1"))
        worker.wait(lambda: all(worker.store.exists(key) for key in keys(worker, "ann")))
        assert all(
            0 < life <= limit for life, limit in zip(lives(worker, "ann"), (60_000, 60_000, 600_000), strict=True)
        )
        assert status["resident_users"] == 21
        assert status["resident_mb"] > 50
        assert status["waiting_batches"] == 0
        worker.wait(lambda: lives(worker, "ann")[0] < 57_000)
        settled(worker, *(Click(f"u{n}", f"i{(n + 1) % 5}") for n in range(20)))
        worker.wait_until_fresh("ann")  # made anew without an event of hers
        assert lives(worker, "ann")[0] < 57_500
        for key in keys(worker, "ann"):
            worker.store.expire(key, 30)
        settled(worker, Click("ann", "i2"))
        worker.wait(lambda: [life > 30_000 for life in lives(worker, "ann")] == [True, True, True])


def test_who_was_silent_for_too_long_leaves_redis_and_is_a_new_user(settings: Settings) -> None:
    with working(settings, "list_days = 0.00003\nstate_days = 0.00003\n") as worker:
        settled(worker, Click("ann", "i1"), Click("ann", "i2"))
        worker.wait(lambda: not any(worker.store.exists(key) for key in keys(worker, "ann")))
        worker.kill()
        configured(settings, 'instance = "test"\n')  # with time to look
        worker.start()
        settled(worker, Click("ann", "i3"))
        state = worker.store.get(keys(worker, "ann")[2])
        assert isinstance(state, bytes)
        assert decode_state(state).events == 1


class Owner:
    """Begins everywhere at the beginning, and has nothing to make durable."""

    def take(self, partitions: list[Partition], committed: Mapping[Partition, int]) -> dict[Partition, int]:
        return {}

    async def release(self, numbers: frozenset[int]) -> dict[Partition, int]:
        return {}

    async def lose(self, numbers: frozenset[int]) -> None:
        pass


def test_a_slow_agent_pauses_its_partitions_and_what_waits_waits_in_kafka(settings: Settings) -> None:
    asyncio.run(_read_slowly(settings, window=2, batch=5, n=60))


async def _read_slowly(settings: Settings, window: int, batch: int, n: int) -> None:
    ensure_topics(settings)
    publish(settings, *(Click("ann", f"i{k}") for k in range(n)))
    topic = topic_name(CLICKS, settings.kafka.prefix, settings.namespace)
    channel, failures = asyncio.Queue[Records](), list[BaseException]()
    consumer = GroupConsumer(
        {topic: channel},
        settings.kafka.partitions,
        lambda: None,
        Owner(),
        {"bootstrap.servers": settings.kafka.bootstrap} | group_properties(settings.namespace, settings.worker),
        batch=batch, window=window, linger_s=0.001, crash=failures.append,
    )  # fmt: skip
    read, handed_over = list[int](), list[int]()
    async with consumer, asyncio.timeout(TIMEOUT_S):
        while len(read) < n:
            # As slow as can be: nothing is done before the window is full, or nothing is left.
            waiting = [await channel.get()]
            while len(waiting) < window and len(read) + sum(len(each.messages) for each in waiting) < n:
                waiting.append(await channel.get())
            handed_over.append(consumer.in_flight)
            assert channel.empty()
            for records in waiting:
                read += [message.offset() for message in records.messages]
                records.done()
    assert not failures
    assert read == list(range(n))
    assert max(handed_over) == window
