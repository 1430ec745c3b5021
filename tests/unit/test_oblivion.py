"""What an engine forgets: a person whole, or one item of his; and what the item model keeps of it."""

from __future__ import annotations

import numpy as np
import pytest
from workload import START, events, learned, observe

from contracts.events import TYPES, UNDO, Click, Rating, item_key
from contracts.learning import Forgotten, decode_lessons, encode_lessons, oblivion
from models.arrivals import APPLIED, CONTAINED, DUPLICATE, UNDONE
from models.checks import differences
from models.engine import Engine
from models.item_model import ItemModel
from models.ratings import rater
from models.users import Rebirth


def forgotten(user: str, offset: int = 7) -> Forgotten:
    return Forgotten(rater(user), "users", "id", 3, offset)


def learn(model: ItemModel, *people: Forgotten) -> None:
    model.learn(decode_lessons(encode_lessons(oblivion(list(people)))), model.position)


def test_nothing_of_a_forgotten_user_remains_in_the_table() -> None:
    engine = learned([*events(300), *(Click("ann-5c1e", f"own{n}", START + n) for n in range(80))])
    users = engine.users
    slot, keys = users.slot("ann-5c1e"), [item_key(f"own{n}") for n in range(80)]
    start, length, _ = users._seen.stretches[slot].tolist()
    assert users._seen.pool[start : start + length].tolist() == keys
    others = {user: users.encode(users.slot(user)) for user in users if user != "ann-5c1e"}
    users.erase("ann-5c1e")
    assert "ann-5c1e" not in users and "ann-5c1e" not in users.names
    for name, column in vars(users).items():
        if isinstance(column, np.ndarray):
            assert not column[slot].any(), name
    assert not users._seen.pool[start : start + length].any()
    assert {user: users.encode(users.slot(user)) for user in others} == others
    picture = users.changed()
    assert picture.erased == ["ann-5c1e"]
    assert "ann-5c1e" not in picture.names
    assert users.changed().erased == []


def test_who_returns_starts_anew_behind_his_mark_and_a_state_of_before_is_void() -> None:
    engine = learned(events(300))
    before = engine.users.encode(engine.users.slot("u1"))
    reborn = Rebirth(5, (400, 400))
    engine.users.erase("u1")
    engine.users.admit("u1", before, reborn)
    assert engine.users.is_blank(engine.users.slot("u1"))
    outcome = [int(observe(engine, [Click("u1", "i1", START)], offset).observed.outcome[0]) for offset in (400, 401)]
    assert outcome == [CONTAINED, APPLIED]
    after = engine.users.encode(engine.users.slot("u1"))
    other = Engine(resident_users=10)
    other.users.admit("u1", after, reborn)
    assert other.users.encode(other.users.slot("u1")) == after
    assert not other.users.is_stale("u1", reborn)
    assert other.users.is_stale("u1", Rebirth(6, (500, 500)))


def test_a_rating_row_goes_once_for_each_wish_and_alike_on_every_worker() -> None:
    stream = events(400, ratings=0.5)
    one, other = learned(stream), learned(stream, size=7)
    assert rater("u1") in one.items.ratings.rows()["users"]
    for engine in (one, other):
        learn(engine.items, forgotten("u1"))
        assert rater("u1") not in engine.items.ratings.rows()["users"]
        observe_and_learn(engine, [Rating("u1", "i3", 5.0, START)], 400)
        learn(engine.items, forgotten("u1"))  # the same wish, read again after a crash
        assert rater("u1") in engine.items.ratings.rows()["users"]
    states = [engine.items.state() for engine in (one, other)]
    for state in states:
        del state["position"]
    assert differences(*states) == []
    learn(one.items, forgotten("u1", 8))
    assert rater("u1") not in one.items.ratings.rows()["users"]


def observe_and_learn(engine: Engine, part: list[Rating], first: int) -> None:
    engine.learn(observe(engine, part, first).lessons, engine.items.position)


def test_a_wish_changes_nothing_else_of_the_item_model() -> None:
    engine = learned(events(300))
    before = engine.items.state()
    learn(engine.items, forgotten("nobody"))
    changed = {difference.split(":")[0].split()[0] for difference in differences(before, engine.items.state())}
    assert changed <= {"state.position", "state.learned"}


@pytest.mark.parametrize("kind", ["click", "dislike"])
def test_an_item_that_is_taken_back_is_as_if_it_had_never_been_had(kind: str) -> None:
    def act(item: int, at: int, kind: str = "click") -> Click:
        return Click("u", f"i{item}", START + 1000 * at, kind)

    before, own = [act(n, n) for n in range(5)], act(9, 5, kind)
    after = [act(n, n) for n in range(6, 9)]
    with_it, without = Engine(resident_users=10), Engine(resident_users=10)
    observe(with_it, [*before, own, *after, act(9, 20, UNDO)])
    observe(without, [*before, *after])
    slots = np.zeros(1, np.int32)
    assert with_it.users.history("u") == without.users.history("u")
    assert with_it.users.seen(slots)[0].tolist() == without.users.seen(slots)[0].tolist()
    again = observe(with_it, [own, own, act(9, 30)], 50)
    assert again.observed.outcome.tolist()[:2] == [APPLIED, DUPLICATE]
    assert again.observed.novel[0]
    assert [TYPES[each] for each in again.lessons.kind][:1] == [kind]


def test_to_take_back_teaches_nothing_and_twice_is_once() -> None:
    engine = learned(events(300))
    state = engine.users.encode(engine.users.slot("u1"))
    observation = observe(engine, [Click("u1", "never had", START, UNDO)], 0)
    assert observation.observed.outcome.tolist() == [CONTAINED]
    item = next(event.item for event in events(300) if event.user == "u1")
    observation = observe(engine, [Click("u1", item, START, UNDO)] * 2, 300)
    assert observation.observed.outcome.tolist() == [UNDONE, UNDONE]
    assert len(observation.lessons) == 0 and observation.lessons.items == []
    assert engine.users.encode(engine.users.slot("u1")) != state
