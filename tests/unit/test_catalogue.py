"""Items get their rows in the order of their first appearance, whatever the batches."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from workload import events, know, run

from contracts.events import item_key
from models.catalogue import UNKNOWN, Catalogue
from models.engine import Engine

names = st.text(max_size=3) | st.integers(0, 30).map(str)


@given(st.lists(st.lists(names, max_size=12), max_size=12))
def test_rows_follow_first_appearance(calls: list[list[str]]) -> None:
    catalogue, expected = Catalogue(), dict[str, int]()
    for call in calls:
        for name in call:
            expected.setdefault(name, len(expected))
        assert catalogue.admit(call).tolist() == [expected[name] for name in call]
    assert catalogue.ids == list(expected)
    assert len(catalogue) == len(expected)
    assert [catalogue.row(name) for name in expected] == list(expected.values())
    assert catalogue.keys[: len(expected)].tolist() == [item_key(name) for name in expected]


def test_an_item_is_known_from_its_first_event_on() -> None:
    stream, model = events(300, items=120), Engine(resident_users=100)
    catalogue, wished = model.items.catalogue, Counter[str]()
    for observation in run(model, stream, 20):
        assert [catalogue.ids[row] for row in catalogue.known[: catalogue.n_known]] == list(wished)
        assert dict(zip(catalogue.ids, catalogue.events.tolist(), strict=False)) == {
            item: wished[item] for item in catalogue.ids
        }
        lessons = observation.lessons
        wished.update(lessons.items[item] for item in lessons.item[lessons.weight > 0])
    assert len(wished) > 50


def test_an_item_that_was_never_admitted_has_no_row() -> None:
    catalogue = Catalogue()
    assert catalogue.row("a") == UNKNOWN
    catalogue.admit(["a", "b"])
    keys = np.array([item_key("b"), item_key("c"), 0, item_key("a")], np.uint64)
    assert catalogue.rows(keys).tolist() == [1, UNKNOWN, UNKNOWN, 0]
    assert catalogue.rows(np.zeros(0, np.uint64)).tolist() == []


def test_asking_gives_no_row() -> None:
    catalogue = Catalogue()
    catalogue.row("a")
    assert len(catalogue) == 0


def test_growth_loses_nothing() -> None:
    catalogue, names = Catalogue(), [f"item {index}" for index in range(5000)]
    for start in range(0, len(names), 700):
        know(catalogue, catalogue.admit(names[start : start + 700]))
    assert catalogue.capacity >= 5000
    assert catalogue.admit(names).tolist() == list(range(5000))
    assert catalogue.events[:5000].tolist() == [1] * 5000
    assert catalogue.known[: catalogue.n_known].tolist() == list(range(5000))


def test_a_restored_catalogue_goes_on_as_if_nothing_had_happened() -> None:
    catalogue, other = Catalogue(), Catalogue()
    know(catalogue, catalogue.admit(map(str, range(1500)))[::-2])
    other.restore(catalogue.state())
    for each in (catalogue, other):
        know(each, each.admit(["7", "new", "8"]))
    assert other.ids == catalogue.ids
    assert other.events[:1501].tolist() == catalogue.events[:1501].tolist()
    assert other.known[: other.n_known].tolist() == catalogue.known[: catalogue.n_known].tolist()


def test_a_state_does_not_change_with_the_catalogue() -> None:
    catalogue = Catalogue()
    know(catalogue, catalogue.admit(["a"]))
    state = catalogue.state()
    know(catalogue, catalogue.admit(["a", "b"]))
    assert state["ids"] == ["a"]
    assert state["events"].tolist() == [1]
    assert state["known"].tolist() == [0]
