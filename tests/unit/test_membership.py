"""What a client may do to a consumer within one call, which no broker can be made to do at will."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

import confluent_kafka as ck
import pytest

from streams.consuming import consumer as consuming
from streams.consuming.consumer import GroupConsumer
from streams.consuming.records import Records

PLACE = ("clicks", 0)


class Message:
    """A message of :data:`PLACE`."""

    def __init__(self, offset: int) -> None:
        self._offset = offset

    def error(self) -> None:
        """There is none."""

    def topic(self) -> str:
        return PLACE[0]

    def partition(self) -> int:
        return PLACE[1]

    def offset(self) -> int:
        return self._offset

    def timestamp(self) -> tuple[int, int]:
        return 1, self._offset


class Client:
    """A consumer of librdkafka that does what a script says, a line for each call."""

    def __init__(self, script: list[Callable[[Client], list[Message]]]) -> None:
        self._script = iter(script)

    def subscribe(self, _: list[str], on_assign: Any, on_revoke: Any, on_lost: Any) -> None:
        self._on_assign, self._on_revoke = on_assign, on_revoke

    def assigned(self) -> list[Message]:
        self._on_assign(self, [ck.TopicPartition(*PLACE)])
        return []

    def revoked(self) -> list[Message]:
        self._on_revoke(self, [ck.TopicPartition(*PLACE)])
        return []

    def poll(self, _: float) -> Message | None:
        return next(iter(next(self._script)(self)), None)

    def consume(self, n: int, _: float) -> list[Message]:
        return next(self._script)(self)

    def committed(self, parts: list[ck.TopicPartition], timeout: float) -> list[ck.TopicPartition]:
        return parts

    def assignment(self) -> list[ck.TopicPartition]:
        return [ck.TopicPartition(*PLACE)]

    def position(self, _: list[ck.TopicPartition]) -> list[ck.TopicPartition]:
        return []

    def assign(self, _: list[ck.TopicPartition]) -> None: ...

    def pause(self, _: list[ck.TopicPartition]) -> None: ...

    def resume(self, _: list[ck.TopicPartition]) -> None: ...

    def commit(self, offsets: list[ck.TopicPartition], asynchronous: bool) -> None: ...

    def close(self) -> None: ...


class Owner:
    """Goes on where what was handed over ends."""

    def __init__(self, handed: list[Records]) -> None:
        self._handed = handed

    def take(self, partitions: list[tuple[str, int]], committed: Mapping[tuple[str, int], int]) -> dict[Any, int]:
        return dict.fromkeys(partitions, 1)

    async def release(self, numbers: frozenset[int]) -> dict[Any, int]:
        return {}

    async def lose(self, numbers: frozenset[int]) -> None: ...


async def _handed(script: list[Callable[[Client], list[Message]]], monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """Return the offsets of the batches that still count when they are handed over."""
    over = asyncio.Event()
    loop = asyncio.get_running_loop()

    def end(_: Client) -> list[Message]:
        loop.call_soon_threadsafe(over.set)
        consumer._stopping = True
        return []

    client = Client([*script, end])
    monkeypatch.setattr(consuming.ck, "Consumer", lambda _: client)
    channel, failures = asyncio.Queue[Records](), list[BaseException]()
    handed: list[list[int]] = []

    async def take() -> None:
        while True:
            records = (await channel.get()).ours()
            handed.append([message.offset() for message in records.messages])
            records.done()

    consumer = GroupConsumer(
        {PLACE[0]: channel}, 1, lambda: None, Owner([]), {}, batch=5, window=2, linger_s=0.0, crash=failures.append
    )
    taking = asyncio.create_task(take())
    async with consumer, asyncio.timeout(60):
        await over.wait()
    taking.cancel()
    assert failures == []
    return [offsets for offsets in handed if offsets]


def test_what_was_fetched_before_its_partition_was_given_up_and_taken_again_is_not_applied_beside_what_is_read_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    script: list[Callable[[Client], list[Message]]] = [
        Client.assigned,
        lambda _: [Message(0)],
        lambda _: [],
        lambda _: [Message(1)],  # fetched, and within the call that asks for more
        lambda client: [*client.revoked(), *client.assigned()],
        lambda _: [Message(1)],  # read anew
        lambda _: [Message(2)],
    ]
    assert asyncio.run(_handed(script, monkeypatch)) == [[0], [1, 2]]


def test_a_batch_that_brings_such_messages_itself_brings_them_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    script: list[Callable[[Client], list[Message]]] = [
        Client.assigned,
        lambda _: [Message(0)],
        lambda client: [Message(1), *client.revoked(), *client.assigned()],
        lambda _: [Message(1)],
        lambda _: [],
    ]
    handed = asyncio.run(_handed(script, monkeypatch))
    assert handed == [[1]]
