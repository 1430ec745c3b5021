"""Lists for everybody are written when they have changed, and those of categories come and go with their items."""

from __future__ import annotations

import orjson
import pytest
from workload import START, learned

from contracts.events import Click, Item
from models.engine import Engine
from streams.stewarding.neighbours import evidence_of
from streams.stewarding.shared import _AGAIN_MS, _AT_ONCE, SharedList, SharedLists

NOW = 2 * START


@pytest.fixture
def engine() -> Engine:
    engine = learned([Click(f"u{n}", f"i{n % 8}", START + n) for n in range(40)])
    for n in range(8):
        engine.labels.put(Item(f"i{n}", categories=["even" if n % 2 == 0 else "odd"]))
    return engine


def items(lists: list[SharedList]) -> dict[tuple[str, str | None], list[str]]:
    return {(name, category): orjson.loads(value)["items"] for name, category, value in lists}


def test_every_category_has_lists_of_its_own_items(engine: Engine) -> None:
    made = items(SharedLists(engine, 3, 10).changed(NOW))
    kinds = ("popular", "trending", "latest")
    assert made.keys() == {(name, category) for name in kinds for category in (None, "even", "odd")}
    assert made["latest", "odd"] == ["i7", "i5", "i3"]
    assert set(made["popular", "even"]) < {"i0", "i2", "i4", "i6"}


def test_what_has_not_changed_is_written_again_only_after_a_while(engine: Engine) -> None:
    shared = SharedLists(engine, 3, 10)
    first = shared.changed(NOW)
    assert shared.changed(NOW + 1000) == []
    engine.labels.put(Item("i1", categories=["odd"], created=NOW))
    assert items(shared.changed(NOW + 2000)).keys() == {("latest", None), ("latest", "odd")}
    again = shared.changed(NOW + 2000 + _AGAIN_MS)
    assert [entry[:2] for entry in again] == [entry[:2] for entry in first]


def test_only_the_largest_categories_have_lists(engine: Engine) -> None:
    engine.labels.put(Item("i1", categories=["even", "odd"]))
    shared = SharedLists(engine, 3, 1)
    assert {category for _, category, _ in shared.changed(NOW)} == {None, "even"}
    assert {category for _, category, _ in SharedLists(engine, 3, 0).changed(NOW)} == {None}


def test_a_category_that_is_gone_is_removed_once_and_may_come_back(engine: Engine) -> None:
    shared = SharedLists(engine, 3, 10)
    shared.resume(["left over", "odd"])
    shared.changed(NOW)
    assert shared.gone() == ["left over"]
    for n in (1, 3, 5):
        engine.labels.put(Item(f"i{n}", deleted=True))
    engine.availability.put(Item("i7", hidden=True), NOW)
    shared.changed(NOW)
    assert shared.gone() == ["odd"]
    assert shared.gone() == []
    engine.availability.put(Item("i7"), NOW)
    assert ("latest", "odd") in items(shared.changed(NOW))


def test_many_categories_take_turns(engine: Engine) -> None:
    for n in range(8):
        engine.labels.put(Item(f"i{n}", categories=[f"c{n}.{k}" for k in range(10)]))
    shared = SharedLists(engine, 3, 80)
    seen: set[str | None] = set()
    for _ in range(4):
        categories = {category for _, category, _ in shared.changed(NOW)} - {None}
        assert len(categories) <= _AT_ONCE
        assert not categories & seen
        seen |= categories
    assert len(seen) == 80


def test_evidence_of_neighbours_is_how_often_each_came_after_and_before() -> None:
    # Three had a, b, c in this order; one had them the other way round. The second in turn counts a half.
    ways = [("a", "b", "c")] * 3 + [("c", "b", "a")]
    engine = learned(
        [Click(f"u{n}", item, START + 9 * n + k) for n, way in enumerate(ways) for k, item in enumerate(way)]
    )
    row = engine.items.catalogue.row("a")
    evidence = evidence_of(engine, row, ["b", "c", "never seen"])
    assert evidence == {"after": [3.0, 1.5, 0.0], "before": [1.0, 0.5, 0.0]}
