"""Items leave when nobody uses them or when there are too many, the same ones at every fold of the same log."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from workload import START, WISHES, events, introduce, learned, observe, run

from contracts.events import Click, Item, item_key
from contracts.learning import Lessons
from models.catalogue import Catalogue
from models.checks import differences
from models.engine import Engine
from models.item_model import ItemModel
from models.life import Life
from models.listing import ListEncoder
from models.scorers.popularity import POPULAR
from models.selection import NONE

DAY = 24 * 3600 * 1000
FEW = Life(max_items=20)


def records(n: int, items: int, size: int = 20) -> list[Lessons]:
    """Return the learning log of a stream whose items drift: old ones are seldom seen again."""
    engine = Engine(resident_users=1000, rating_users=50)
    stream = events(n, items=items // 4, types=WISHES)
    for index, event in enumerate(stream):
        event.item = f"i{(int(str(event.item)[1:]) + index * items // n) % items}"
    return [observation.lessons for observation in run(engine, stream, size)]


def fold(log: list[Lessons], life: Life, model: ItemModel | None = None, position: int = 0) -> ItemModel:
    model = model or ItemModel(seed=1, rating_users=50, life=life)
    for index, record in enumerate(log):
        model.learn(record, position + index)
    return model


LOG = records(600, 120)


@pytest.mark.parametrize("life", [FEW, Life(idle_days=100_000 / DAY), Life(max_items=30, idle_days=60_000 / DAY)])
def test_the_same_log_lets_the_same_items_go_and_a_restored_model_goes_on_alike(life: Life) -> None:
    one, other = fold(LOG, life), fold(LOG, life)
    assert differences(one.state(), other.state()) == []
    assert one.catalogue.items < 100
    for at in (9, 20):
        restored = ItemModel(seed=1, rating_users=50, life=life)
        restored.restore(fold(LOG[:at], life).state())
        fold(LOG[at:], life, restored, at)
        mine, theirs = one.state(), restored.state()
        del mine["ratings"], theirs["ratings"]  # pickles of the same rows may differ
        assert differences(mine, theirs) == []
        assert sorted(one.ratings.rows()["items"]) == sorted(restored.ratings.rows()["items"])


def test_memory_is_bounded_however_many_items_come() -> None:
    model = ItemModel(seed=1, rating_users=10, life=FEW)
    for index in range(60):
        introduce(model, [f"{index} {number}" for number in range(30)])
        assert model.catalogue.items <= 30  # of the record itself none leaves
        assert len(model.catalogue) <= 30 + 30
    assert model.catalogue.capacity == 1024


def test_the_longest_idle_leave_and_what_was_used_lately_stays() -> None:
    model = fold(LOG, FEW)
    last = {item: index for index, record in enumerate(LOG) for item in record.items}
    left = {item for item in model.catalogue.ids if item}
    gone = last.keys() - left
    assert max(last[item] for item in gone) <= min(last[item] for item in left) + 1
    assert sorted(model.gone(1000)) == sorted(gone)
    assert model.gone(10) == []


def test_idle_items_leave_by_the_events_time_and_are_admitted_anew() -> None:
    engine = Engine(resident_users=100, life=Life(idle_days=2))
    stream = [Click("u", "old", START), Click("v", "kept", START)]
    stream += [Click(f"u{hour}", "kept" if hour % 9 == 0 else "other", START + hour * DAY // 24) for hour in range(70)]
    learned(stream, 5, engine)
    catalogue = engine.items.catalogue
    assert (catalogue.row("old"), catalogue.items) == (-1, 2)
    assert engine.popular(POPULAR, 9)[0] == ["other", "kept"]
    assert "old" not in engine.latest(9)[0]
    engine.learn(observe(engine, [Click("w", "old", START + 3 * DAY)], 72).lessons, engine.items.position)
    row = catalogue.row("old")
    assert catalogue.events[row] == 1
    assert engine.latest(1)[0] == ["old"]
    assert set(catalogue.known[: catalogue.n_known].tolist()) == {catalogue.row(x) for x in ("old", "kept", "other")}


def test_nothing_of_an_item_that_left_stays_in_its_row_nor_with_its_neighbours() -> None:
    model = fold(LOG, FEW)
    free = [row for row, item in enumerate(model.catalogue.ids) if not item]
    assert free
    assert not model.popularity.counts[free].any()
    assert not model.embeddings.outputs[free].any()
    assert not model.embeddings.biases[free].any()
    neighbours = [set(model.pairs.neighbours_of(row)[0].tolist()) for row in range(len(model.catalogue))]
    assert not any(near & set(free) for near in neighbours)
    assert not any(neighbours[row] for row in free)
    assert any(neighbours)
    assert not set(free) & set(model.ratings.rows()["items"])
    introduce(model, ["new"])
    row = model.catalogue.row("new")
    assert row in free
    fresh = ItemModel(seed=1, rating_users=10)
    introduce(fresh, ["new"])
    for name, array in model.embeddings.state(len(model.catalogue)).items():
        assert np.array_equal(array[row], fresh.embeddings.state(1)[name][0])


def test_without_limits_nothing_leaves() -> None:
    model = fold(LOG, Life())
    assert model.catalogue.items == len({item for record in LOG for item in record.items})
    assert model.gone(9) == []


def test_what_is_sent_again_does_not_keep_an_item() -> None:
    once = fold(LOG[:20], FEW)
    before = once.catalogue.state()
    for record in LOG[19:10:-1]:
        once.learn(record, once.position)
    after = once.catalogue.state()
    for row, item in enumerate(before["ids"]):
        if item and after["ids"][row] == item:
            assert before["last"][row] == after["last"][row]


def test_items_are_listed_and_drawn_from_enough_events_on() -> None:
    engine = Engine(resident_users=100, life=Life(admit_after=3))
    stream = [Click(f"u{n}", f"i{n % 4}", START + n) for n in range(10)]  # i0 and i1: 3 events, the others 2
    learned(stream, 3, engine)
    catalogue = engine.items.catalogue
    assert [catalogue.ids[row] for row in catalogue.known[: catalogue.n_known]] == ["i0", "i1"]
    assert set(engine.latest(9)[0]) == set(engine.popular(POPULAR, 9)[0]) == {"i0", "i1"}
    introduce(engine.items, ["i2", "new"])
    engine.users.admit("reader", None)
    lists = engine.refresh(np.array([engine.users.slot("reader")], np.int32), 9, 0)
    assert {catalogue.ids[row] for row in lists.rows[0] if row != NONE} == {"i0", "i1", "i2", "new"}
    listed = {"i0": True, "i2": True, "i3": False, "new": True, "unheard of": False}
    assert {item: catalogue.lists(item) for item in listed} == listed


def test_another_admission_after_a_restart_counts_for_all_items() -> None:
    states = {n: fold(LOG[:10], Life(admit_after=n)).catalogue.state() for n in (1, 4)}
    for before, now in ((1, 4), (4, 1)):
        catalogue = Catalogue(now)
        catalogue.restore(states[before])
        known = catalogue.known[: catalogue.n_known]
        assert sorted(known.tolist()) == np.flatnonzero(catalogue.events >= now).tolist()


@given(st.lists(st.tuples(st.integers(0, 15), st.booleans()), max_size=60))
@settings(max_examples=60)
def test_ids_keys_and_rows_stay_consistent_whatever_comes_and_goes(steps: list[tuple[int, bool]]) -> None:
    catalogue = Catalogue()
    there: dict[str, int] = {}
    serial = 0
    for number, comes in steps:
        name = f"n{number}"
        if comes:
            row = int(catalogue.admit([name])[0])
            assert (row in catalogue.assigned_since(serial)) is (name not in there)
            assert row == there.setdefault(name, row)
            serial = catalogue.serial
        elif name in there:
            assert catalogue.release(np.array([there.pop(name)], np.int32)) == [name]
        assert {name: catalogue.row(name) for name in there} == there
        assert len(set(there.values())) == len(there) == catalogue.items
        assert len(catalogue) <= 16
        assert catalogue.row("n16") == -1
        gone = {f"n{k}" for k in range(16)} - there.keys()
        assert (catalogue.rows(np.array([item_key(item) for item in gone], np.uint64)) == -1).all()
    other = Catalogue()
    catalogue.settle(np.array(list(there.values()), np.int32))
    other.restore(catalogue.state())
    assert other.admit([*there, "x", "y"]).tolist() == catalogue.admit([*there, "x", "y"]).tolist()


def test_a_row_that_another_item_has_now_shows_that_items_id_labels_and_availability() -> None:
    engine = Engine(resident_users=100, life=Life(max_items=3))
    encoder = ListEncoder(engine.items.catalogue)
    for index in range(400):
        engine.availability.put(Item(f"hidden {index}", hidden=True), START)
        engine.labels.put(Item(f"shown {index}", categories=[f"c{index}"], created=index))
        introduce(engine.items, [f"hidden {index}", f"shown {index}"])
        engine.users.admit("reader", None)
        lists = engine.refresh(np.array([engine.users.slot("reader")], np.int32), 9, 0)
        written = orjson.loads(b"{" + encoder.encode(lists)[0] + b"}")["items"]
        there = {item for item in engine.items.catalogue.ids if item.startswith("shown")}
        assert set(written) == there
        assert f"shown {index}" in there
        categories = engine.labels.categories()
        shown = engine.shown()
        assert {name for name, rows in categories.items() if shown[rows].any()} == {f"c{x.split()[1]}" for x in there}
    assert len(encoder._bytes) == 65_536


def test_an_encoder_forgets_the_ids_of_items_that_left() -> None:
    model = ItemModel(life=Life(max_items=500))
    encoder = ListEncoder(model.catalogue)
    for index in range(100):
        names = [f"{index} {number} {'x' * 90}" for number in range(100)]
        rows = introduce(model, names)
        lists = Engine(resident_users=1).refresh(np.zeros(0, np.int32), 3, 0)
        lists = replace(lists, rows=rows[None, :3], scores=np.zeros((1, 3), np.float32))
        lists = replace(lists, scorers=np.zeros((1, 0), np.int8), grounds=np.zeros((1, 0, 2), np.int32))
        assert orjson.loads(b"{" + encoder.encode(lists)[0] + b"}")["items"] == names[:3]
    assert len(encoder._bytes) < 500_000


def test_a_hidden_item_comes_back_when_it_is_shown_again_and_a_deleted_one_only_by_a_new_record() -> None:
    engine = learned(events(300, types=WISHES))
    for withheld in (Item("i1", hidden=True), Item("i1", deleted=True), Item("i1", expires=START)):
        engine.availability.put(withheld, START)
        assert "i1" not in engine.latest(100)[0]
        engine.learn(observe(engine, [Click("late", "i1", START + DAY)], 400).lessons, engine.items.position)
        assert "i1" not in engine.latest(100)[0] + engine.popular(POPULAR, 100)[0]
        engine.availability.put(Item("i1"), START)
        assert "i1" in engine.latest(100)[0]


@pytest.mark.parametrize("wrong", [{"admit_after": 0}, {"max_items": 0}, {"idle_days": -1.0}])
def test_a_setting_out_of_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ValueError, match="at least"):
        Life(**wrong)  # type: ignore[arg-type]
