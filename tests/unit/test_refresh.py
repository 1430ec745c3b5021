"""Which lists are made anew though their users do nothing, and when a burst of events gets only one."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Mapping
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from workload import START, events, learned

from contracts.events import Click, encode
from contracts.learning import Lessons
from infra.settings import Settings
from models.arrivals import Arrivals
from models.due import Limits
from models.engine import Engine
from models.users import UserTable
from streams.applying.applier import Applier
from streams.applying.epochs import Epochs
from streams.applying.lists import ListMaker
from streams.applying.measuring import Measuring
from streams.applying.outbox import Outbox
from streams.consuming.records import Records
from streams.forgetting.marks import BY_USER, Marks
from streams.owning.ownership import Ownership
from streams.watching.status import Status

SECOND, MINUTE, HOUR, DAY = 1000, 60_000, 3_600_000, 86_400_000
NOW = 1_800_000_000_000
LIMITS = Limits(turns_ms=(10 * MINUTE, 5 * DAY), gone_ms=90 * DAY)
REVISION = 9


def table(users: dict[str, tuple[int, int, int]]) -> UserTable:
    """Return a table of users, given as (revision of the list, its age, for how long the user has been silent)."""
    found = UserTable(resident=1000)
    for name, (listed, age, silent) in users.items():
        found.admit(name, None)
        slot = found.slot(name)
        one = np.array([slot], np.int32)
        columns = (one, np.uint64, np.uint64, np.int64, np.uint8, np.float32, np.int8, np.int64)
        found.apply(Arrivals(one, *(np.ones(1, dtype) for dtype in columns[1:-1]), np.full(1, -1)))
        found.listed[slot], found.made[slot], found.acted[slot] = listed, NOW - age, NOW - silent
    return found


def due(found: UserTable, n: int = 1000, limits: Limits = LIMITS) -> list[str]:
    return [found.names[slot] for slot in found.due(REVISION, n, NOW, limits)]


def test_the_longest_outdated_come_first_for_users_silent_alike() -> None:
    ages = {"a": 5 * SECOND, "b": 9 * SECOND, "c": 7 * SECOND}
    found = table({name: (REVISION - 1, age, 9 * SECOND) for name, age in ages.items()})
    assert due(found) == ["b", "c", "a"]
    assert due(found, 2) == ["b", "c"]


def test_what_is_up_to_date_is_not_made_again() -> None:
    assert due(table({"a": (REVISION, 9 * SECOND, 9 * SECOND)})) == []


def test_who_is_gone_costs_nothing() -> None:
    assert due(table({"a": (1, 91 * DAY, 90 * DAY), "b": (1, 89 * DAY, 89 * DAY)})) == ["b"]


def test_who_has_been_away_for_long_does_not_take_the_turn_of_who_was_just_here() -> None:
    users = {f"old{n}": (1, 2 * DAY, 3 * DAY + n) for n in range(100)}
    users["here"] = (REVISION - 1, 10 * SECOND, 10 * SECOND)
    assert due(table(users), 5)[0] == "here"


@pytest.mark.parametrize("silent", [MINUTE, 9 * MINUTE, DAY])
def test_the_longer_somebody_is_away_the_less_often_his_list_is_made(silent: int) -> None:
    made = (REVISION - 1, silent // 10, silent), (REVISION - 1, silent // 7, silent)
    assert due(table({"early": made[0], "ready": made[1]})) == ["ready"]


def test_a_silent_user_is_served_a_few_times_while_his_silence_doubles() -> None:
    found, made = table({"a": (1, 0, HOUR)}), 0
    for later in range(0, 3 * HOUR, MINUTE):  # from one hour of silence to four
        if len(found.due(REVISION, 10, NOW + later, LIMITS)):
            found.made[0] = NOW + later
            made += 1
    assert 8 <= made <= 12


@pytest.mark.parametrize("turn", LIMITS.turns_ms)
def test_a_list_is_made_once_for_another_kind_of_visit_though_nothing_was_learned(turn: int) -> None:
    shortly_before = MINUTE  # his list was made so long before the turn
    found = table({"over": (REVISION, shortly_before + 1, turn + 1), "not yet": (REVISION, shortly_before, turn)})
    assert due(found) == ["over"]
    found.made[found.slot("over")] = NOW
    assert due(found) == []


def test_the_present_of_somebody_whose_old_events_are_replayed_is_theirs() -> None:
    found = table({"a": (REVISION, 0, 5 * MINUTE), "b": (REVISION, 0, 0)})
    slots = np.array([found.slot("a"), found.slot("b")], np.int32)
    assert found.present(slots, NOW).tolist() == [1 + 5 * MINUTE, 1]


def test_who_has_no_events_and_no_attributes_is_never_due() -> None:
    found = table({})
    for name in ("a", "b"):
        found.admit(name, None)
        found.acted[found.slot(name)] = NOW - SECOND
    found.describe(found.slot("b"), np.array([5], np.uint32))
    assert due(found) == ["b"]


def test_who_left_the_memory_is_not_due_and_his_slot_starts_anew() -> None:
    found = table({"a": (1, 9 * SECOND, 9 * SECOND)})
    found.changed()
    found.clear()
    assert due(found) == []
    found.admit("b", None)
    assert (found.made[0], found.acted[0], found.listed[0]) == (0, 0, 0)


def test_items_wait_for_their_turn_and_none_for_ever() -> None:
    items = learned(events(400)).items
    everything = sorted(items.touched(10_000))
    busy = everything[:3]
    items.touch(everything)
    handed: list[int] = []
    for _ in range(len(everything)):
        items.touch(busy)  # learned from again and again
        handed += items.touched(2)
    assert set(handed) == set(everything)


# The applier between a consumer and an outbox; what it writes is noted.


class Journal:
    """Stands at both ends of the event path: for the store, the log, the marks and Kafka's messages."""

    def __init__(self) -> None:
        self.lines: list[Any] = []
        self.marks = Marks(Settings(), {f"headrace.{topic.name}": "id" for topic in BY_USER})  # nobody was forgotten

    async def catch_up(self) -> None:
        """Nobody is forgotten meanwhile."""

    def write_lists(
        self,
        lists: list[tuple[int, str, bytes]],
        offsets: dict[tuple[str, int], int],
        epochs: dict[int, int],
        gone: list[tuple[int, str]],
    ) -> frozenset[int]:
        self.lines.append(("lists", sorted(user for _, user, _ in lists), dict(offsets)))
        return frozenset()

    async def refused(self, numbers: frozenset[int], epochs: Mapping[int, int]) -> None:
        self.lines.append(("refused", numbers))

    def load_states(self, users: list[tuple[int, str]]) -> list[bytes | None]:
        return [None] * len(users)

    def append(self, lessons: Lessons) -> None:
        self.lines.append(("lessons", lessons.offset.tolist()))

    def fold(self) -> None:
        """Nothing comes back."""


class Message:
    def __init__(self, event: Click, offset: int) -> None:
        self._event, self._offset = event, offset

    def value(self) -> bytes:
        return encode(self._event)

    def key(self) -> bytes:
        return str(self._event.user).encode()

    def timestamp(self) -> tuple[int, int]:
        return 1, START

    def partition(self) -> int:
        return 0

    def offset(self) -> int:
        return self._offset


class Path:
    """An applier with batches before it."""

    def __init__(self, batches: int, together: int = 4, resident: int = 100) -> None:
        self.journal, self.status, self.engine = Journal(), Status(), Engine(resident_users=resident)
        self.waiting = batches
        self.outbox = Outbox(lambda error: self.journal.lines.append(error))
        journal: Any = self.journal
        lists = ListMaker(self.engine, 10, 2, lambda user: 1, LIMITS)
        self.applier = Applier(
            self.engine, journal, journal, self.outbox, journal, lists,
            Measuring(self.engine, lists, self.status, 1.0), self.status,
            kinds={"clicks": Click}, topic_ids={"clicks": "id"}, partitions=1, rekeyed={},
            epochs=Epochs(1), refused=journal.refused,
            in_flight=lambda: self.waiting, together=together, forgetting=journal, warn=print,
        )  # fmt: skip

    def records(self, number: int, size: int, user: str, ours: bool = True) -> Records:
        first = number * size
        messages: list[Any] = [
            Message(Click(user, f"i{offset}", START + offset), offset) for offset in range(first, first + size)
        ]
        still = frozenset({0}) if ours else frozenset[int]()
        return Records("clicks", messages, {0: (first, first + size - 1)}, lambda: still, self.done(number))

    def done(self, number: int) -> Callable[[], None]:
        def done() -> None:
            self.waiting -= 1
            self.journal.lines.append(("done", number))

        return done

    async def run(self, work: Callable[[], Any]) -> list[Any]:
        async with self.outbox:
            await work()
            await self.outbox.drained()
        return self.journal.lines


def test_a_burst_that_waits_gets_one_list_before_any_of_it_is_done() -> None:
    path = Path(batches=3)

    async def work() -> None:
        for number in range(3):
            await path.applier.apply(path.records(number, 5, "u"))

    lines = asyncio.run(path.run(work))
    assert lines[0] == ("lists", ["u"], {("clicks", 0): 15})
    assert lines[1:] == [
        line for number in range(3) for line in (("lessons", list(range(5 * number, 5 * number + 5))), ("done", number))
    ]
    assert (path.status.events_applied, path.status.lists_written) == (15, 1)


def test_without_a_batch_behind_it_every_batch_gets_its_lists_at_once() -> None:
    path = Path(batches=0)

    async def work() -> None:
        for number in range(3):
            path.waiting += 1
            await path.applier.apply(path.records(number, 5, "u"))
            await path.outbox.drained()

    lines = asyncio.run(path.run(work))
    assert [line[0] for line in lines] == ["lists", "lessons", "done"] * 3


def test_a_barrier_finds_nothing_applied_that_is_not_handed_over() -> None:
    path = Path(batches=3)

    async def work() -> None:
        await path.applier.apply(path.records(0, 5, "u"))
        assert not path.journal.lines
        await path.applier.between_batches(lambda: path.outbox.put(step))

    async def step() -> None:
        path.journal.lines.append("barrier")

    lines = asyncio.run(path.run(work))
    assert [line if line == "barrier" else line[0] for line in lines] == ["lists", "lessons", "done", "barrier"]


def test_a_batch_that_is_not_ours_any_more_does_not_keep_the_ones_before_it_waiting() -> None:
    path = Path(batches=3)

    async def work() -> None:
        await path.applier.apply(path.records(0, 5, "u"))
        assert not path.journal.lines
        await path.applier.apply(path.records(1, 5, "v", ours=False))

    lines = asyncio.run(path.run(work))
    assert [line[:2] for line in lines] == [
        ("done", 1), ("lists", ["u"]), ("lessons", [0, 1, 2, 3, 4]), ("done", 0),
    ]  # fmt: skip


@pytest.mark.parametrize(("together", "lists"), [(4, [4, 4]), (1, [1] * 9)])
def test_no_more_batches_wait_for_each_other_than_the_setting_says(together: int, lists: list[int]) -> None:
    path = Path(batches=100, together=together)

    async def work() -> None:
        for number in range(9):
            await path.applier.apply(path.records(number, 2, f"u{number}"))

    lines = asyncio.run(path.run(work))
    assert [len(line[1]) for line in lines if line[0] == "lists"] == lists


def test_nobody_is_let_go_while_his_batch_waits_for_the_states_of_others() -> None:
    path, asked, goes_on = Path(batches=0, resident=1), threading.Event(), threading.Event()
    prepared, stored = asyncio.Event(), asyncio.Event()

    def prepare(_: Any) -> Any:
        prepared.set()
        return stored.wait()  # true, once it is

    fake: Any = SimpleNamespace(prepare=prepare, passed=lambda _: asyncio.sleep(0), applied={})
    users = path.engine.users
    owner = Ownership(
        users, fake, path.applier, fake, fake, fake, fake, lambda: fake, print, taken=lambda: None
    )  # fmt: skip

    def load_states(places: list[tuple[int, str]]) -> list[bytes | None]:
        asked.set()
        assert goes_on.wait(30)
        return [None] * len(places)

    async def work() -> None:
        for number, user in enumerate(("here", "also")):
            await path.applier.apply(path.records(number, 5, user))
        users.changed()  # as if they were stored
        path.journal.load_states = load_states  # type: ignore[method-assign]
        batch = path.records(2, 5, "here")
        batch.messages += path.records(3, 5, "new").messages
        barrier = asyncio.create_task(owner.make_durable())
        await prepared.wait()
        applying = asyncio.create_task(path.applier.apply(batch))
        await asyncio.to_thread(asked.wait)
        stored.set()
        await asyncio.sleep(0.05)
        assert users.missing(["here", "also"]) == []
        goes_on.set()
        await applying
        await barrier
        assert users.missing(["here", "also", "new"]) == ["also"]

    asyncio.run(path.run(work))
    assert path.status.events_applied == 20
