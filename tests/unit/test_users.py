"""The table of users against a plain reference, in any order of events, storing, eviction and loss."""

from __future__ import annotations

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from users_reference import Event, User, apply, compare

from models.arrivals import TOPICS, UNDO
from models.users import Rebirth, UserTable

NAMES = ["", "a", "b", "ä", "b:c", "d"]
LIMITS = (6, 2)  # events that teach within an hour, in all and about one item


class Table(RuleBasedStateMachine):
    """Events, storing, eviction and losing everything that is resident, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.table = UserTable(3, *LIMITS)
        self.users = {name: User(per_hour=LIMITS[0], per_item=LIMITS[1]) for name in NAMES}
        self.stored: dict[str, bytes] = {}
        self.unstored: set[str] = set()
        self.next = [0] * len(TOPICS)
        self.generations = dict.fromkeys(NAMES, 0)
        self.left: set[str] = set()  # whose states should have gone

    @rule(
        events=st.lists(
            st.tuples(
                st.sampled_from(NAMES),
                st.integers(1, 12),  # item
                st.integers(1, 300),  # identity
                st.integers(0, 100).map(lambda time: time * 100_000),  # nearly three hours
                st.sampled_from([*range(11), UNDO]),  # kind
                st.integers(0, len(TOPICS) - 1),
                st.sampled_from(["next", "next", "next", "again", "foreign"]),
                st.sampled_from([np.nan, np.nan, 4.5, -2.0, 70_000.0, np.float32(0.1)]),
            ),
            max_size=40,
        )
    )
    def apply(self, events: list[tuple[str, int, int, int, int, int, str, float]]) -> None:
        batch = []
        for user, item, identity, time, kind, topic, offset, value in events:
            if offset == "next":
                self.next[topic] += 1
            at = {"next": self.next[topic], "again": self.next[topic] // 2, "foreign": -1}[offset]
            batch.append(Event(user, item, identity, time, kind, topic, at, float(np.float32(value))))
        self.load([event.user for event in batch])
        apply(self.table, self.users, batch)
        self.unstored |= {event.user for event in batch}

    def load(self, names: list[str]) -> None:
        for name in self.table.missing(names):
            generation = self.generations[name]
            rebirth = Rebirth(generation, tuple(self.users[name].offsets)) if generation else None
            self.table.admit(name, self.stored.get(name), rebirth)

    @rule(name=st.sampled_from(NAMES), deleted=st.booleans())
    def forget(self, name: str, deleted: bool) -> None:
        """Whether or not his stored state goes: who comes back starts anew, behind what he did before."""
        self.load([name])
        self.table.erase(name)
        self.generations[name] += 1
        self.users[name] = User(offsets=list(self.next), per_hour=LIMITS[0], per_item=LIMITS[1])
        self.unstored.discard(name)
        self.left |= set() if deleted else {name}
        assert name not in self.table

    @rule()
    def store(self) -> None:
        picture = self.table.changed()
        for name in set(picture.erased) - self.left:
            self.stored.pop(name, None)
        changed = picture.encoded()
        self.left -= {name for name, _ in changed}
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
        self.table = UserTable(3, *LIMITS)
        self.load(NAMES)
        for name in self.stored.keys() - self.left:
            state = self.stored[name]
            assert self.table.encode(self.table.slot(name)) == state

    @invariant()
    def agrees_with_the_reference(self) -> None:
        compare(self.table, self.users, list(self.table))


Table.TestCase.settings = settings(max_examples=60, stateful_step_count=20, deadline=None)
TestTable = Table.TestCase
