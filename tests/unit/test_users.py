"""The table of users against a plain reference of dicts and lists."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from contracts.learning import HISTORY
from models.users import (
    APPLIED,
    CONTAINED,
    DUPLICATE,
    MAX_SEEN,
    REPEAT,
    TOPICS,
    Arrivals,
    CorruptState,
    Observed,
    UserTable,
)


class Event(NamedTuple):
    user: str
    item: int
    identity: int
    time: int
    kind: int = 0
    topic: int = 0
    offset: int = -1


@dataclass
class User:
    """What the table must know of a user, kept the plain way."""

    history: list[Event] = field(default_factory=list)  # oldest first, all of it
    seen: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=lambda: [-1] * len(TOPICS))

    def let_go(self) -> None:
        if len(self.seen) >= MAX_SEEN:
            del self.seen[: len(self.seen) - MAX_SEEN + MAX_SEEN // 10]

    def apply(self, event: Event) -> int:
        if event.offset >= 0:
            if event.offset <= self.offsets[event.topic]:
                return CONTAINED
            self.offsets[event.topic] = event.offset
        recent = self.history[-HISTORY:]
        if event.identity in [earlier.identity for earlier in recent]:
            return DUPLICATE
        as_old = all(event.time <= earlier.time for earlier in recent)
        if len(recent) == HISTORY and event.item in self.seen and as_old:
            return DUPLICATE
        if recent and recent[-1].item == event.item:
            return REPEAT
        self.history.append(event)
        if event.item not in self.seen:
            self.seen.append(event.item)
        return APPLIED


def arrivals(table: UserTable, events: list[Event]) -> Arrivals:
    slots = [table.slot(event.user) for event in events]
    _, item, identity, time, kind, topic, offset = zip(*events, strict=True) if events else ((),) * 7
    return Arrivals(
        np.array(slots, np.int32),
        np.array(item, np.uint64),
        np.array(identity, np.uint64),
        np.array(time, np.int64),
        np.array(kind, np.uint8),
        np.array(topic, np.int8),
        np.array(offset, np.int64),
    )


def apply(table: UserTable, users: dict[str, User], events: list[Event]) -> Observed:
    """Apply events to the table and to the reference, and compare all that the table says of them."""
    observed = table.apply(arrivals(table, events))
    for user in {event.user for event in events}:
        users[user].let_go()
    for index, event in enumerate(events):
        user = users[event.user]
        before = [earlier.item for earlier in user.history[-HISTORY:]][::-1]
        n_seen, novel = len(user.seen), event.item not in user.seen
        assert observed.outcome[index] == user.apply(event), event
        if observed.outcome[index] != APPLIED:
            before, n_seen, novel = [], 0, False
        assert observed.lengths[index] == len(before)
        assert observed.history[index].tolist() == before + [0] * (HISTORY - len(before))
        assert observed.n_seen[index] == n_seen
        assert observed.novel[index] == novel
    return observed


def compare(table: UserTable, users: dict[str, User], names: list[str]) -> None:
    """Compare what the table tells of resident users."""
    slots = np.array([table.slot(name) for name in names], np.int32)
    history, lengths = table.recent(slots)
    values, starts, counts = table.seen(slots)
    for index, name in enumerate(names):
        user, recent = users[name], users[name].history[-HISTORY:]
        assert table.history(name) == [(event.item, event.time, event.kind) for event in recent]
        assert history[index, : lengths[index]].tolist() == [event.item for event in recent[::-1]]
        assert not history[index, lengths[index] :].any()
        assert values[starts[index] : starts[index] + counts[index]].tolist() == user.seen


NAMES = ["", "a", "b", "ä", "b:c", "d"]


class Table(RuleBasedStateMachine):
    """Events, storing, eviction and losing everything that is resident, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.table = UserTable(resident=3)
        self.users = {name: User() for name in NAMES}
        self.stored: dict[str, bytes] = {}
        self.unstored: set[str] = set()
        self.next = [0] * len(TOPICS)

    @rule(
        events=st.lists(
            st.tuples(
                st.sampled_from(NAMES),
                st.integers(1, 12),  # item
                st.integers(1, 300),  # identity
                st.integers(0, 100),  # time
                st.integers(0, 10),  # kind
                st.integers(0, len(TOPICS) - 1),
                st.sampled_from(["next", "next", "next", "again", "foreign"]),
            ),
            max_size=40,
        )
    )
    def apply(self, events: list[tuple[str, int, int, int, int, int, str]]) -> None:
        batch = []
        for user, item, identity, time, kind, topic, offset in events:
            if offset == "next":
                self.next[topic] += 1
            at = {"next": self.next[topic], "again": self.next[topic] // 2, "foreign": -1}[offset]
            batch.append(Event(user, item, identity, time, kind, topic, at))
        self.load([event.user for event in batch])
        apply(self.table, self.users, batch)
        self.unstored |= {event.user for event in batch}

    def load(self, names: list[str]) -> None:
        for name in self.table.missing(names):
            self.table.admit(name, self.stored.get(name))

    @rule()
    def store(self) -> None:
        changed = self.table.changed()
        assert {name for name, _ in changed} == self.unstored
        self.stored |= dict(changed)
        self.unstored.clear()

    @rule()
    def evict(self) -> None:
        self.table.evict()
        assert self.unstored <= set(self.table)
        assert len(self.table) <= max(3, len(self.unstored))

    @rule(name=st.sampled_from(NAMES))
    def admit_again(self, name: str) -> None:
        """A load that comes late never overwrites who is resident."""
        if name in self.table:
            self.table.admit(name, None)

    @rule()
    def crash_after_storing(self) -> None:
        self.store()
        self.table.clear()
        assert len(self.table) == 0

    @rule()
    def store_and_load_everybody(self) -> None:
        self.store()
        self.table = UserTable(resident=3)
        self.load(NAMES)
        for name, state in self.stored.items():
            assert self.table.encode(self.table.slot(name)) == state

    @invariant()
    def agrees_with_the_reference(self) -> None:
        compare(self.table, self.users, list(self.table))


Table.TestCase.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
TestTable = Table.TestCase


def click(item: int, user: str = "a", time: int | None = None) -> Event:
    """Return a click whose identity is its item and time."""
    time = item if time is None else time
    return Event(user, item, 1_000_000 * time + item, time)


@pytest.fixture
def table() -> UserTable:
    table = UserTable(resident=1000)
    table.admit("a", None)
    return table


def test_duplicate_of_a_forgotten_event_is_recognised_by_its_age(table: UserTable) -> None:
    apply(table, {"a": User()}, [click(item) for item in range(1, 200)])
    again, new, late = click(1), Event("a", 500, 1, 1), click(2, time=199)
    outcomes = table.apply(arrivals(table, [again, new, late])).outcome
    assert outcomes.tolist() == [DUPLICATE, APPLIED, APPLIED]


def test_an_empty_batch_changes_nothing(table: UserTable) -> None:
    observed = table.apply(arrivals(table, []))
    assert len(observed.outcome) == 0
    assert table.changed() == []


def test_users_are_asked_for_once_each(table: UserTable) -> None:
    assert table.missing(["b", "a", "c", "b"]) == ["b", "c"]


def test_seen_is_limited_to_what_was_had_before_an_event(table: UserTable) -> None:
    apply(table, {"a": User()}, [click(item) for item in (3, 1, 2)])
    values, starts, counts = table.seen(np.array([0, 0], np.int32), np.array([2, 0]))
    assert values[starts[0] : starts[0] + counts[0]].tolist() == [3, 1]
    assert counts[1] == 0


def test_beyond_the_limit_the_oldest_tenth_is_let_go(table: UserTable) -> None:
    users = {"a": User()}
    items = np.random.default_rng(0).permutation(24_000)
    for start in range(0, len(items), 3000):
        observed = table.apply(arrivals(table, [click(int(item)) for item in items[start : start + 3000]]))
        users["a"].let_go()
        users["a"].seen += items[start : start + 3000].tolist()
        assert (observed.outcome == APPLIED).all()
        assert observed.n_seen.max() < MAX_SEEN + 3000
        assert table.seen(np.array([0], np.int32))[0].tolist() == users["a"].seen
    assert len(users["a"].seen) <= MAX_SEEN - MAX_SEEN // 10 + 3000


def test_a_state_of_the_greatest_size_comes_back(table: UserTable) -> None:
    for start in range(0, 12_000, 2000):
        table.apply(arrivals(table, [click(item) for item in range(start, start + 2000)]))
    state = table.encode(0)
    other = UserTable(resident=10)
    other.admit("a", state)
    assert other.encode(other.slot("a")) == state


def test_compaction_of_the_pool_loses_nothing() -> None:
    table, draw = UserTable(resident=150), np.random.default_rng(0)
    seen: dict[str, list[int]] = {f"u{index}": [] for index in range(300)}
    stored: dict[str, bytes] = {}
    for at in range(0, 1200, 20):
        names = draw.choice(list(seen), 100, replace=False).tolist()
        for name in table.missing(names):
            table.admit(name, stored.get(name))
        table.apply(arrivals(table, [click(item, name) for name in names for item in range(at, at + 20)]))
        for name in names:
            seen[name] += range(at, at + 20)
        stored |= dict(table.changed())
        table.evict()
        residents = list(table)
        values, starts, counts = table.seen(np.array([table.slot(name) for name in residents], np.int32))
        for name, start, count in zip(residents, starts, counts, strict=True):
            assert values[start : start + count].tolist() == seen[name]
    assert len(table) <= 150


def test_the_longest_unused_go_first() -> None:
    table = UserTable(resident=20)
    names = [f"u{index}" for index in range(40)]
    for name in names:
        table.admit(name, None)
        table.apply(arrivals(table, [click(1, name)]))
    table.apply(arrivals(table, [click(2, "u0")]))
    table.changed()
    table.evict()
    assert set(table) == {"u0", *names[23:]}


def test_who_changed_since_he_was_stored_stays() -> None:
    table = UserTable(resident=1)
    for name in ("a", "b", "c"):
        table.admit(name, None)
    table.apply(arrivals(table, [click(1, "a"), click(1, "b"), click(1, "c")]))
    table.changed()
    table.apply(arrivals(table, [click(2, "a")]))
    table.evict()
    assert list(table) == ["a"]
    assert [name for name, _ in table.changed()] == ["a"]


def test_a_slot_that_is_used_again_forgets_who_was_there() -> None:
    table = UserTable(resident=1)
    for name in ("a", "b", "c"):
        table.admit(name, None)
        table.apply(arrivals(table, [Event(name, 1, 1, 1, 1, 0, 7)]))
        table.shown[table.slot(name)] = 5
        table.changed()
    table.evict()
    table.admit("d", None)
    compare(table, {"d": User()}, ["d"])
    assert (table.shown[table.slot("d")] == -1).all()
    assert table.apply(arrivals(table, [Event("d", 1, 1, 1, 1, 0, 0)])).outcome.tolist() == [APPLIED]


def test_a_user_beyond_the_first_capacity_starts_without_offsets() -> None:
    table = UserTable(resident=5000)
    names = [f"u{index}" for index in range(3000)]
    for name in names:
        table.admit(name, None)
    observed = table.apply(arrivals(table, [Event(name, 1, 1, 1, 1, 0, 0) for name in names]))
    assert (observed.outcome == APPLIED).all()
    assert len(table.changed()) == 3000


def test_who_cannot_be_read_is_not_resident(table: UserTable) -> None:
    with pytest.raises(CorruptState):
        table.admit("b", b"garbage")
    assert table.missing(["b"]) == ["b"]
    table.admit("b", None)
    compare(table, {"b": User()}, ["b"])


def test_users_with_the_oldest_lists_are_outdated_first() -> None:
    table = UserTable(resident=10)
    for name in ("a", "b", "c", "d", "e"):
        table.admit(name, None)
    table.apply(arrivals(table, [click(1, name) for name in ("a", "b", "c", "d")]))
    table.listed[[table.slot(name) for name in ("a", "b", "c", "d", "e")]] = [7, 3, 9, 0, 0]
    named = [[table.names[slot] for slot in table.outdated(9, n)] for n in (10, 2)]
    assert named == [["d", "b", "a"], ["d", "b"]]
    assert not len(table.outdated(0, 10))
