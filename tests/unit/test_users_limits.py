"""The table of users at its limits: full, crowded, grown, read again, and with states that cannot be used."""

from __future__ import annotations

import numpy as np
import pytest
from users_reference import Event, User, apply, arrivals, click, compare

from models.arrivals import APPLIED, DUPLICATE
from models.seen import MAX_SEEN
from models.user_state import CorruptState
from models.users import UserTable


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
    assert table.changed().encoded() == []


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
        stored |= dict(table.changed().encoded())
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
    assert table.changed().names == ["a"]


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
    assert len(table.changed().names) == 3000


def test_who_cannot_be_read_is_not_resident(table: UserTable) -> None:
    with pytest.raises(CorruptState):
        table.admit("b", b"garbage")
    assert table.missing(["b"]) == ["b"]
    table.admit("b", None)
    compare(table, {"b": User()}, ["b"])
