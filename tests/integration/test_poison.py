"""An event that ends every worker that applies it becomes a dead letter; nothing else is lost, or delayed for long."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from typing import Any

import pytest
import redis

from contracts.events import Click, InvalidEvent
from contracts.redis import Keys
from infra.redis import connect
from infra.settings import Settings
from serving.store.store import Store
from streams.applying.attempts import Attempts
from streams.consuming.records import Records
from streams.deadletters.letters import read
from tests.visits import USERS, visits
from tests.worker import Worker, publish, working

BAD = "poison"
TOPIC = "clicks"


def test_the_one_poisonous_event_is_set_aside_with_its_traceback(settings: Settings) -> None:
    with working(settings) as worker:
        publish(settings, *visits(0))
        worker.wait_until_applied()
        worker.stop()
        publish(settings, *visits(1), Click("u3", BAD, time=2_000_000), *visits(3))
        # Twice at full speed, then event by event; the fourth start knows it.
        assert starts_until_it_stays(worker, f"poison:{BAD}") == [1, 1, 1]
        status = worker.status()
        assert status["dead_letters_by_reason"] == {"poison": 1}
        assert (status["learned"], status["log_gaps"]) == (3 * USERS, 0)
        (letter,) = read(settings)
        assert (letter.reason, letter.key) == ("poison", b"u3")
        assert "Traceback" in letter.detail
        assert f"an event of item '{BAD}' raises" in letter.detail
        # At full speed again, with nothing left to remember.
        publish(settings, *visits(4))
        status = worker.wait_until_applied()
        assert status["learned"] == 4 * USERS
        worker.wait(lambda: not any(b"poison" in value for value in trials(worker.store, worker.keys)))


def starts_until_it_stays(worker: Worker, failure: str) -> list[int]:
    """Start a worker again whenever it ends; return the statuses with which it did."""
    statuses: list[int] = []
    while True:
        worker.start(failure)
        try:
            worker.wait_until_applied()
        except AssertionError:
            assert worker.process.returncode is not None
            statuses.append(worker.process.returncode)
            assert len(statuses) < 10
        else:
            return statuses


def trials(store: redis.Redis, keys: Keys) -> list[bytes]:
    return [value for number in range(4) for value in store.hvals(keys.trials(number))]  # type: ignore[union-attr]


class Message:
    """As the consumer brings it."""

    def __init__(self, partition: int, offset: int) -> None:
        self._partition, self._offset = partition, offset

    def partition(self) -> int:
        return self._partition

    def offset(self) -> int:
        return self._offset


class Process:
    """What a worker process does with offsets 0 to 9 of two partitions, until it dies."""

    def __init__(self, store: Store) -> None:
        self.applied: list[tuple[int, int]] = []
        self.refused: dict[tuple[int, int], str] = {}
        self.batches = self.done = self.crashes = 0
        self.barriers = 0
        self.attempts = Attempts(store, lambda _: None, self._crashed, self._settled)
        self.attempts.begin({(TOPIC, 0): 0, (TOPIC, 1): 0}, {(TOPIC, 0): 10, (TOPIC, 1): 10})

    def run(self, bad: dict[tuple[int, int], type[BaseException]]) -> bool:
        """Return whether it comes to the end; an event that is bad raises."""

        async def apply(records: Records) -> None:
            self.batches += 1
            for message in records.messages:
                place = message.partition(), message.offset()
                try:
                    records.refuse_poison(message)
                except InvalidEvent as error:
                    self.refused[place] = error.detail
                    continue
                if place in bad:
                    raise bad[place](f"{place} is bad")
                self.applied.append(place)
            records.done()

        def finished() -> None:
            self.done += 1

        messages: list[Any] = [Message(number, offset) for offset in range(10) for number in (0, 1)]
        records = Records(TOPIC, messages, {0: (0, 9), 1: (0, 9)}, _always, finished)
        try:
            asyncio.run(self.attempts.through(records, apply))
        except (ValueError, Killed):
            return False
        asyncio.run(self.attempts.passed({(TOPIC, 0): 10, (TOPIC, 1): 10}))
        assert self.done == 1
        return True

    def _crashed(self, _: BaseException) -> None:
        self.crashes += 1

    async def _settled(self) -> None:
        self.barriers += 1


class Killed(BaseException):
    """The process dies without a word."""


def _always() -> frozenset[int]:
    return frozenset({0, 1})


async def _settled() -> None:
    pass


@pytest.fixture
def store(settings: Settings) -> Store:
    return Store(connect(settings.redis.url), Keys(settings.namespace, settings.redis.prefix), 1000)


def starts(store: Store, bad: dict[tuple[int, int], type[BaseException]]) -> list[Process]:
    """Start processes until one comes to the end."""
    processes: list[Process] = []
    while not processes or not processes[-1].run(bad):
        assert len(processes) < 20
        processes.append(Process(store))
    return processes


def test_an_exception_convicts_its_event_at_the_third_start(store: Store) -> None:
    found = starts(store, {(1, 4): ValueError})
    assert [process.crashes for process in found] == [1, 1, 1, 0]
    assert found[-1].refused.keys() == {(1, 4)}
    assert "(1, 4) is bad" in found[-1].refused[1, 4]
    assert len(found[-1].applied) == 19
    assert [process.batches for process in found[:3]] == [1, 1, 10]
    (again,) = starts(store, {})
    assert (again.batches, again.refused) == (1, {})


def test_a_death_without_a_word_convicts_only_the_second_time(store: Store) -> None:
    found = starts(store, {(0, 7): Killed})
    assert len(found) == 5
    assert found[-1].refused == {(0, 7): "the process died 2 times while it applied this event alone"}
    assert len(found[-1].applied) == 19
    # The suspected event stands between two barriers of its own; he died at the second try.
    assert [process.barriers for process in found] == [0, 0, 0, 1, 0]


def test_a_process_killed_by_chance_while_it_was_careful_convicts_nobody(store: Store) -> None:
    assert not any(Process(store).run({(0, 7): Killed}) for _ in range(3))
    last = Process(store)
    assert last.run({})
    assert last.refused == {}
    assert last.batches == 20


def test_several_poisonous_events_are_found_one_after_the_other(store: Store) -> None:
    found = starts(store, {(0, 2): ValueError, (1, 2): ValueError, (1, 8): Killed})
    assert found[-1].refused.keys() == {(0, 2), (1, 2), (1, 8)}
    assert len(found[-1].applied) == 17


def test_starts_that_came_forward_or_ended_in_order_are_not_counted(store: Store) -> None:
    for _ in range(5):
        process = Process(store)
        asyncio.run(process.attempts.ended({0, 1}))
    assert Process(store).run({})
    for start in range(5):
        attempts = Attempts(store, lambda text: pytest.fail(text), lambda _: None, _settled)
        attempts.begin({(TOPIC, 0): start}, {(TOPIC, 0): 10})


class LateStore(Store):
    """Takes its time to write what is not forgotten."""

    def write_trials(self, trials: Mapping[tuple[str, int], bytes | None]) -> None:
        if any(trials.values()):
            time.sleep(0.1)
        super().write_trials(trials)


def test_what_is_forgotten_while_it_is_marked_stays_forgotten(settings: Settings) -> None:
    store = LateStore(connect(settings.redis.url), Keys(settings.namespace, settings.redis.prefix), 1000)
    attempts = Attempts(store, lambda _: None, lambda _: None, _settled)
    for _ in range(3):
        attempts.begin({(TOPIC, 0): 0, (TOPIC, 1): 0}, {(TOPIC, 0): 1, (TOPIC, 1): 1})

    async def apply(_: Records) -> None:
        pass

    def records(number: int) -> Records:
        messages: list[Any] = [Message(number, 0)]
        return Records(TOPIC, messages, {number: (0, 0)}, _always, lambda: None)

    async def run() -> None:
        await attempts.through(records(0), apply)
        # The second is marked, and the first no longer, while the first turns out to be over.
        second = asyncio.create_task(attempts.through(records(1), apply))
        await asyncio.sleep(0.02)
        await attempts.passed({(TOPIC, 0): 1})
        await second

    asyncio.run(run())
    assert store.trials({0, 1}).keys() == {(TOPIC, 1)}
