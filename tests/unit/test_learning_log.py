"""A record of the learning log that cannot be folded leaves every worker with the same bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from workload import events, run

from contracts.learning import Introduction, Lessons, encode_lessons, introduction
from infra import failpoints
from models.checks import differences
from models.engine import Engine
from models.item_model import ItemModel
from streams.learning.log import LearningLog


class Message:
    """A record as the reader brings it."""

    def __init__(self, value: bytes, offset: int) -> None:
        self._value, self._offset = value, offset

    def value(self) -> bytes:
        return self._value

    def offset(self) -> int:
        return self._offset


class Worker:
    """An engine that learns from a log."""

    def __init__(self, seed: int = 4) -> None:
        self.engine, self.alarms = Engine(seed=seed, rating_users=50), list[str]()
        self.log = LearningLog(self.engine, None, "learning", self.alarms.append)

    def read(self, log: list[bytes], batch: int) -> Worker:
        messages: list[Any] = [Message(value, offset) for offset, value in enumerate(log)]
        for start in range(0, len(messages), batch):
            self.log.arrived(messages[start : start + batch])
        return self


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    failpoints.arm(None)


def lessons() -> list[Lessons]:
    return [observation.lessons for observation in run(Engine(seed=4, rating_users=50), events(240), 40)]


def same(one: ItemModel, other: ItemModel) -> bool:
    return differences({**one.state(), "ratings": 0}, {**other.state(), "ratings": 0}) == []


@pytest.mark.parametrize(
    "bad",
    [b"", b"not a record", encode_lessons(introduction([Introduction("x", digest=-1)]))],
    ids=["empty", "other", "bounds"],
)
def test_a_record_that_is_none_is_skipped_whole_counted_and_told(bad: bytes) -> None:
    good = [encode_lessons(each) for each in lessons()]
    worker, undisturbed = Worker().read([*good[:3], bad, *good[3:]], 2), Worker().read(good, 3)
    assert worker.log.skipped == 1
    assert "learning record 3 is skipped" in worker.alarms[0]
    assert worker.engine.items.events == undisturbed.engine.items.events
    assert worker.engine.items.catalogue.ids == undisturbed.engine.items.catalogue.ids


def test_a_record_that_raises_is_left_at_the_same_place_by_every_worker_and_every_later_fold() -> None:
    taught = lessons()
    item = taught[2].items[0]
    failpoints.arm(f"unlearnable:{item}")
    log = [encode_lessons(each) for each in taught]
    workers = [Worker().read(log, batch) for batch in (1, 2, len(log))]
    concerned = sum(item in each.items for each in taught)
    assert [worker.log.skipped for worker in workers] == [concerned] * 3
    assert all(same(workers[0].engine.items, worker.engine.items) for worker in workers)
    # The next worker begins with a checkpoint from between.
    joined, early = Worker(), Worker().read(log[:4], 1)
    joined.engine.items.restore(early.engine.items.state())
    joined.read(log, 1)
    assert same(workers[0].engine.items, joined.engine.items)


def test_what_lies_with_the_machine_and_not_with_the_record_is_not_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise MemoryError

    worker = Worker()
    monkeypatch.setattr(worker.engine, "learn", full)
    with pytest.raises(MemoryError):
        worker.read([encode_lessons(each) for each in lessons()], 1)
    assert worker.log.skipped == 0
