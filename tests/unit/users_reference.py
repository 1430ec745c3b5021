"""The table of users written plainly with dicts and lists, and how the two are compared."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from contracts.learning import HISTORY
from models.arrivals import APPLIED, CONTAINED, DUPLICATE, HOUR_MS, REPEAT, TOPICS, UNDO, UNDONE, Arrivals, Observed
from models.arrivals import TAUGHT_PER_HOUR as PER_HOUR
from models.arrivals import TAUGHT_PER_ITEM as PER_ITEM
from models.seen import MAX_SEEN
from models.users import UserTable


class Event(NamedTuple):
    user: str
    item: int
    identity: int
    time: int
    kind: int = 0
    topic: int = 0
    offset: int = -1
    value: float = np.nan


@dataclass
class User:
    """What the table must know of a user, kept the plain way."""

    history: list[Event] = field(default_factory=list)  # oldest first, all of it
    seen: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=lambda: [-1] * len(TOPICS))
    per_hour: int = PER_HOUR
    per_item: int = PER_ITEM
    hour: int = 0
    in_hour: int = 0
    taught: list[bool] = field(default_factory=list)  # event by event of the history

    def let_go(self) -> None:
        if len(self.seen) >= MAX_SEEN:
            del self.seen[: len(self.seen) - MAX_SEEN + MAX_SEEN // 10]

    def apply(self, event: Event) -> int:
        if event.offset >= 0:
            if event.offset <= self.offsets[event.topic]:
                return CONTAINED
            self.offsets[event.topic] = event.offset
        if event.kind == UNDO:
            recent = list(zip(self.history, self.taught, strict=True))[-HISTORY:]
            left = [(earlier, taught) for earlier, taught in recent if earlier.item != event.item]
            if len(left) < len(recent):
                self.history, self.taught = [earlier for earlier, _ in left], [taught for _, taught in left]
            self.seen = [item for item in self.seen if item != event.item]
            return UNDONE
        recent = self.history[-HISTORY:]
        if event.identity in [earlier.identity for earlier in recent]:
            return DUPLICATE
        as_old = all(event.time <= earlier.time for earlier in recent)
        if len(recent) == HISTORY and event.item in self.seen and as_old:
            return DUPLICATE
        if recent and recent[-1].item == event.item:
            return REPEAT
        hour = event.time // HOUR_MS
        about = sum(earlier.item == event.item and earlier.time // HOUR_MS == hour for earlier in recent)
        if hour > self.hour:
            self.hour, self.in_hour = hour, 0
        self.taught.append(self.in_hour < self.per_hour and about < self.per_item)
        self.in_hour += 1
        self.history.append(event)
        if event.item not in self.seen:
            self.seen.append(event.item)
        return APPLIED


def arrivals(table: UserTable, events: list[Event]) -> Arrivals:
    slots = [table.slot(event.user) for event in events]
    _, item, identity, time, kind, topic, offset, value = zip(*events, strict=True) if events else ((),) * 8
    return Arrivals(
        np.array(slots, np.int32),
        np.array(item, np.uint64),
        np.array(identity, np.uint64),
        np.array(time, np.int64),
        np.array(kind, np.uint8),
        np.array(value, np.float32),
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
        before = user.history[-HISTORY:][::-1]
        heard = user.taught[-HISTORY:][::-1]
        n_seen, novel = len(user.seen), event.item not in user.seen
        assert observed.outcome[index] == user.apply(event), event
        if observed.outcome[index] != APPLIED:
            before, heard, n_seen, novel = [], [], 0, False
        assert observed.taught[index] == (observed.outcome[index] == APPLIED and user.taught[-1])
        assert observed.heard()[index].tolist() == heard + [True] * (HISTORY - len(heard))
        assert observed.lengths[index] == len(before)
        for name, attribute in (("history", "item"), ("times", "time"), ("kinds", "kind"), ("values", "value")):
            expected = np.array([getattr(earlier, attribute) for earlier in before] + [0] * (HISTORY - len(before)))
            np.testing.assert_array_equal(getattr(observed, name)[index], expected)
        assert observed.n_seen[index] == n_seen
        assert observed.novel[index] == novel
    return observed


def compare(table: UserTable, users: dict[str, User], names: list[str]) -> None:
    """Compare what the table tells of resident users."""
    slots = np.array([table.slot(name) for name in names], np.int32)
    history, lengths = table.recent(slots)
    times, kinds, ratings = table.details(slots)
    values, starts, counts = table.seen(slots)
    for index, name in enumerate(names):
        user, recent = users[name], users[name].history[-HISTORY:]
        assert table.history(name) == [(event.item, event.time, event.kind) for event in recent]
        assert history[index, : lengths[index]].tolist() == [event.item for event in recent[::-1]]
        for column, attribute in ((times, "time"), (kinds, "kind"), (ratings, "value")):
            expected = [getattr(event, attribute) for event in recent[::-1]]
            np.testing.assert_array_equal(column[index], expected + [0] * (HISTORY - len(recent)))
        assert not history[index, lengths[index] :].any()
        assert values[starts[index] : starts[index] + counts[index]].tolist() == user.seen


def click(item: int, user: str = "a", time: int | None = None) -> Event:
    """Return a click whose identity is its item and time."""
    time = item if time is None else time
    return Event(user, item, 1_000_000 * time + item, time)
