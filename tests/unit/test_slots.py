"""Hash slots of a Cluster: what a script touches lies in one."""

from __future__ import annotations

import pytest

from contracts.redis import Keys
from serving.store.slots import SLOTS, slot_of, tags

KEYS = Keys("main", "headrace")


def test_there_is_a_tag_for_every_slot() -> None:
    assert [slot_of(f"{{{tag}}}") for tag in tags()] == list(range(SLOTS))


@pytest.mark.parametrize("key", [KEYS.top("ann"), KEYS.withheld, KEYS.state(7, "ann"), KEYS.shared("popular", "{a}")])
def test_the_epochs_for_a_key_lie_in_its_slot(key: str) -> None:
    assert slot_of(KEYS.epochs(tags()[slot_of(key)])) == slot_of(key)


def test_what_the_protocol_gives_as_examples_lies_where_it_says() -> None:
    assert slot_of("123456789") == 0x31C3  # of the specification's CRC16
    assert slot_of("{user1000}.following") == slot_of("{user1000}.followers") == slot_of("user1000")
    assert slot_of("foo{}{bar}") != slot_of("bar")
    assert slot_of("foo{bar}{zap}") == slot_of("bar")
