"""New items start near their like, and nothing that was learned from events is overwritten by what is written."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from workload import observe

from contracts.events import Click, Item
from contracts.learning import Introduction, Lessons, introduction
from models.checks import differences
from models.content.examples import MOST
from models.content.items import _FIRST_LESSONS
from models.content.terms import introduce
from models.engine import Engine
from models.item_model import ItemModel
from models.life import Life
from models.similar import similar

ITEMS = 60
TASTES = ("crime", "space")
WORDS = {"crime": "murder police night", "space": "star ship planet"}


def record(name: str, taste: str) -> Introduction:
    return introduce(Item(name, title=f"{name} {WORDS[taste]}", categories=[taste]))


CATALOGUE = [record(f"{TASTES[n % 2]}{n}", TASTES[n % 2]) for n in range(ITEMS)]


def clicks(rounds: int, first: int = 0) -> list[Click]:
    """Visitors of two tastes; every item of a taste is clicked once a round, by one of its visitors."""
    draw = np.random.default_rng(first)
    found = []
    for n in range(first, first + rounds):
        for item in draw.permutation(ITEMS).tolist():
            found.append(Click(f"{TASTES[item % 2]} visitor {n % 5}", CATALOGUE[item].item, 1000 * n + item))
    return found


def records(rounds: int, size: int = 30) -> list[Lessons]:
    """Return the log of these visits."""
    stream = clicks(rounds)
    engine = Engine(resident_users=100)
    return [observe(engine, stream[start : start + size], start).lessons for start in range(0, len(stream), size)]


LOG = records(40)


def fold(log: list[Lessons], model: ItemModel | None = None) -> ItemModel:
    model = model or ItemModel(seed=3, rating_users=10)
    for each in log:
        model.learn(each, model.position)
    return model


def learned(log: list[Lessons] = LOG) -> ItemModel:
    return fold([introduction(CATALOGUE), *log])


def nearness(model: ItemModel, name: str, taste: str) -> float:
    """Return the cosine of an item's output with the mean of a taste's."""
    outputs = model.embeddings.outputs
    like = np.mean([outputs[model.catalogue.row(each.item)] for each in CATALOGUE if each.item.startswith(taste)], 0)
    own = outputs[model.catalogue.row(name)]
    return float(own @ like / np.linalg.norm(own) / np.linalg.norm(like))


@pytest.mark.parametrize(("taste", "other"), [TASTES, TASTES[::-1]])
def test_a_new_item_starts_near_its_like(taste: str, other: str) -> None:
    model = fold([introduction([record("new", taste)])], learned())
    assert nearness(model, "new", taste) > 0.5 > 0.0 > nearness(model, "new", other)


@pytest.mark.parametrize("taste", TASTES)
def test_the_neighbours_of_an_item_without_events_are_its_like_and_are_written(taste: str) -> None:
    model = learned()
    model.touched(1000)
    fold([introduction([record("new", taste), introduce(Item("bare"))])], model)
    row = model.catalogue.row("new")
    assert model.touched(1000) == [row]
    n = len(model.catalogue)
    rows, _ = similar(row, model.embeddings.outputs[:n], model.pairs, np.ones(n, np.bool_), 10)
    assert all(model.catalogue.ids[each].startswith(taste) for each in rows)


def test_content_of_items_that_left_is_forgotten() -> None:
    model = fold([introduction(CATALOGUE[:40])], ItemModel(seed=3, rating_users=10, life=Life(max_items=20)))
    for start in range(0, 40, 4):
        fold([introduction(CATALOGUE[start : start + 4])], model)
    left = {item for item in model.catalogue.ids if item}
    assert len(left) < 40
    other = fold([introduction([each for each in CATALOGUE if each.item in left])])
    assert differences(model.content.frequencies.state(), other.content.frequencies.state()) == []
    there = [item in left for item in model.catalogue.ids]
    assert (model.content.digests[: len(there)] != 0).tolist() == there


def test_a_new_item_without_content_starts_at_random() -> None:
    model = fold([introduction([Introduction("new")])], learned())
    alone = fold([introduction([Introduction("new")])])
    row = model.catalogue.row("new")
    assert np.array_equal(model.embeddings.outputs[row], alone.embeddings.outputs[0])
    assert model.embeddings.biases[row] == 0.0


def test_what_waited_for_its_first_event_moves_to_its_like_when_there_is_something_to_go_by() -> None:
    model = fold([introduction([*CATALOGUE, record("early", "crime")]), *LOG])
    assert nearness(model, "early", "crime") > 0.5 > 0.0 > nearness(model, "early", "space")


def test_what_waits_starts_anew_just_when_the_map_has_learned_twice_as_much() -> None:
    model = fold([introduction([*CATALOGUE, record("early", "crime")])])
    row = model.catalogue.row("early")
    moved = []
    for each in records(40, size=1):
        before = model.embeddings.outputs[row].copy()
        fold([each], model)
        if not np.array_equal(before, model.embeddings.outputs[row]):
            moved.append(model.content.ridge.learned)
    assert moved[0] >= _FIRST_LESSONS
    assert all(later >= 2 * sooner for sooner, later in pairwise(moved))
    assert len(moved) >= 2


def test_an_item_that_has_events_is_not_moved_by_new_content() -> None:
    model = learned()
    name = CATALOGUE[0].item
    row = model.catalogue.row(name)
    before = model.embeddings.state(len(model.catalogue))
    fold([introduction([record(name, "space")])], model)
    assert differences(before, model.embeddings.state(len(model.catalogue))) == []
    assert model.content.digests[row] == record(name, "space").digest


def test_changed_content_of_a_new_item_moves_it() -> None:
    model = fold([introduction([record("new", "crime")]), introduction([record("new", "space")])], learned())
    assert nearness(model, "new", "space") > 0.5 > 0.0 > nearness(model, "new", "crime")


def test_an_introduction_that_says_nothing_new_changes_nothing_but_the_position() -> None:
    model = learned()
    before = model.state()
    fold([introduction(CATALOGUE)], model)
    assert differences({**before, "ratings": 0}, {**model.state(), "ratings": 0, "position": before["position"]}) == []


def test_content_that_is_taken_back_is_not_counted_any_more() -> None:
    model, without = fold([introduction([*CATALOGUE, record("new", "crime")])]), fold([introduction(CATALOGUE)])
    fold([introduction([Introduction("new")])], model)
    assert model.content.frequencies.items == without.content.frequencies.items
    assert np.array_equal(model.content.frequencies.counts, without.content.frequencies.counts)


def test_content_changes_no_counts_of_items_that_have_events() -> None:
    order = [replace(LOG[0], introduced=[each for name in LOG[0].items for each in CATALOGUE if each.item == name])]
    one, other = fold(LOG), fold([*order, *LOG[1:]])
    for part in ("popularity", "pairs"):
        assert differences(one.state()[part], other.state()[part], part) == []
    for array in ("ids", "events", "known"):
        assert differences(one.catalogue.state()[array], other.catalogue.state()[array], array) == []


@pytest.mark.parametrize("at", [1, 20, 60])
def test_a_restored_model_ends_with_the_same_bytes(at: int) -> None:
    log = [introduction([*CATALOGUE, record("early", "space")]), *LOG]
    without, first, restored = fold(log), fold(log[:at]), ItemModel(seed=3, rating_users=10)
    restored.restore(first.state())
    fold(log[at:], restored)
    assert differences({**without.state(), "ratings": 0}, {**restored.state(), "ratings": 0}) == []


def test_content_survives_growth() -> None:
    many = [record(f"n{n}", TASTES[n % 2]) for n in range(3000)]
    grown = fold([introduction(many)])
    restored = ItemModel(seed=3, rating_users=10)
    restored.restore(grown.state())
    assert grown.content.digests[: len(many)].tolist() == [each.digest for each in many]
    assert differences(grown.content.state(3000), restored.content.state(3000)) == []


@pytest.mark.parametrize(("events", "lessons"), [(7, 0), (8, 1), (9, 1), (16, 2), (40, 3), (1024, 8)])
def test_an_item_teaches_when_its_events_come_to_a_power_of_two(events: int, lessons: int) -> None:
    engine = Engine(resident_users=2000)
    visits = [Click(f"u{n}", CATALOGUE[0].item, n) for n in range(events)]
    model = fold([introduction(CATALOGUE[:1]), observe(engine, visits).lessons])
    assert model.content.ridge.learned == lessons


def test_examples_wait_only_as_long_as_they_are_few_beside_what_was_learned() -> None:
    model = fold([introduction(CATALOGUE)])
    learned = [0]
    for each in records(40, size=1):
        model.learn(each, model.position)
        if (now := model.content.ridge.learned) != learned[-1]:
            learned.append(now)
    assert learned[-1] > 5 * MOST
    assert all(after - before == min(1 + before // 16, MOST) for before, after in pairwise(learned))


@pytest.mark.parametrize("size", [1, 17])
def test_what_content_teaches_does_not_depend_on_how_the_log_is_cut(size: int) -> None:
    one, other = learned(), learned(records(40, size))
    assert one.content.examples.fill[0] > 0
    for name in ("content", "embeddings"):
        assert differences(one.state()[name], other.state()[name]) == [], name


def test_examples_that_wait_survive_a_restart() -> None:
    whole, halves = learned(), learned(LOG[:50])
    assert halves.content.examples.fill[0] > 0
    restored = ItemModel(seed=3, rating_users=10)
    restored.restore(halves.state())
    fold(LOG[50:], restored)
    assert differences(whole.content.state(ITEMS), restored.content.state(ITEMS)) == []
