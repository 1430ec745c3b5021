"""The newest record of an item decides whether it may be shown, before and after the item has a row."""

from __future__ import annotations

import pytest

from contracts.events import Item
from models.availability import Availability
from models.catalogue import Catalogue

NOW = 1000


@pytest.fixture
def catalogue() -> Catalogue:
    catalogue = Catalogue()
    catalogue.admit(["a", "b", "c"])
    return catalogue


@pytest.mark.parametrize(
    ("item", "withheld"),
    [
        (Item("b"), False),
        (Item("b", hidden=True), True),
        (Item("b", deleted=True), True),
        (Item("b", expires=NOW), True),
        (Item("b", expires=NOW + 1), False),
        (Item("b", hidden=True, expires=NOW + 1), True),
    ],
)
def test_what_withholds_an_item(catalogue: Catalogue, item: Item, withheld: bool) -> None:
    availability = Availability(catalogue)
    assert availability.put(item, NOW) is withheld
    assert availability.withheld().tolist() == [False, withheld, False]


def test_a_record_may_come_before_the_row(catalogue: Catalogue) -> None:
    availability = Availability(catalogue)
    availability.withheld()
    availability.put(Item("d", hidden=True), NOW)
    availability.put(Item("e", hidden=True), NOW)
    availability.put(Item("e"), NOW)
    catalogue.admit(["d", "e"])
    assert availability.withheld().tolist() == [False, False, False, True, False]


def test_the_newest_record_replaces_the_earlier_ones(catalogue: Catalogue) -> None:
    availability = Availability(catalogue)
    availability.withheld()
    availability.put(Item("a", hidden=True), NOW)
    availability.put(Item("a", expires=NOW + 5), NOW)
    availability.put(Item("a"), NOW)
    assert availability.expire(NOW + 9) == []
    assert not availability.withheld().any()


def test_time_runs_out_once(catalogue: Catalogue) -> None:
    availability = Availability(catalogue)
    availability.put(Item("a", expires=NOW + 5), NOW)
    availability.put(Item("c", expires=NOW + 6), NOW)
    assert availability.expire(NOW + 4) == []
    assert availability.expire(NOW + 5) == ["a"]
    assert availability.expire(NOW + 5) == []
    assert availability.withheld().tolist() == [True, False, False]
    availability.put(Item("a", expires=NOW + 99), NOW + 5)
    assert availability.withheld().tolist() == [False, False, False]
