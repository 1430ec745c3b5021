"""Users' attributes: hashed alike everywhere, learned from where people of a kind stand, of use to a newcomer."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from workload import MINUTE_MS, START, learned, observe

from contracts.events import Click
from contracts.learning import decode_lessons, encode_lessons
from models.attributes import FEATURES, PLACES, Attributes, features, learn
from models.checks import differences
from models.engine import Engine
from models.item_model import ItemModel
from models.scorers.embeddings import DIMENSIONS
from models.scorers.popularity import POPULAR

values = st.one_of(st.text(max_size=5), st.booleans(), st.floats(allow_nan=False, allow_infinity=False))


@given(st.dictionaries(st.text(max_size=5), values, max_size=12))
def test_features_do_not_depend_on_the_order_of_attributes_and_are_few(
    attributes: dict[str, str | float | bool],
) -> None:
    found = features(attributes)
    assert found.dtype == np.uint32
    assert len(found) == min(len(attributes), FEATURES)
    assert features(dict(reversed(attributes.items()))).tolist() == found.tolist()


def test_numbers_of_about_one_size_share_a_feature_and_others_do_not() -> None:
    age = {years: int(features({"age": float(years)})[0]) for years in range(-80, 81)}
    assert age[33] == age[36]
    assert len({age[0], age[1], age[3], age[18], age[25], age[35], age[50], age[80], age[-33]}) == 9
    assert all(one != other or abs(b - a) == 1 for (a, one), (b, other) in pairwise(sorted(age.items())))


def test_names_and_kinds_of_values_are_part_of_a_feature() -> None:
    attributes: list[dict[str, str | float | bool]] = [
        {"a": True}, {"a": "x"}, {"b": "x"}, {"a": False}, {"a": 1.0}, {"a": ""}, {"a": "X"},
    ]  # fmt: skip
    assert len({int(features(each)[0]) for each in attributes}) == len(attributes)
    assert features({"a": True}).tolist() == features({"a": "true"}).tolist()


def plain(
    model: dict[int, tuple[float, np.ndarray]], of_users: list[list[int]], weights: list[float], vectors: np.ndarray
) -> None:
    """Learn the plain way: place → (weight, sum)."""
    keep = 2.0 ** (-1.0 / 1000.0)
    for mine, weight, vector in zip(of_users, weights, vectors, strict=True):
        for place in [*(feature % PLACES for feature in mine), PLACES] if mine else []:
            total, summed = model.get(place, (0.0, np.zeros(DIMENSIONS)))
            model[place] = keep * total + weight, keep * summed + weight * vector


def teach(table: Attributes, features: list[int], vector: np.ndarray, weight: float = 1.0, before: int = 1) -> None:
    learn(
        np.array(features, np.uint32), np.float32(weight), before, vector.astype(np.float32), table.sums, table.weights
    )


def test_the_kernel_agrees_with_the_plain_reference() -> None:
    draw, table, model = np.random.default_rng(0), Attributes(), dict[int, tuple[float, np.ndarray]]()
    of_users = [(draw.integers(9, size=draw.integers(0, FEATURES + 1)) + 2**31).tolist() for _ in range(200)]
    weights, before, vectors = draw.random(200), draw.integers(1, 51, size=200), draw.normal(size=(200, DIMENSIONS))
    plain(model, of_users, (weights / before**2).tolist(), vectors)
    for mine, weight, n, vector in zip(of_users, weights.tolist(), before.tolist(), vectors, strict=True):
        teach(table, mine, vector, weight, n)
    for place, (total, summed) in model.items():
        assert table.weights[place] == pytest.approx(total, rel=1e-4)
        np.testing.assert_allclose(table.sums[place], summed, rtol=1e-3, atol=1e-3)
    assert np.count_nonzero(table.weights) == len(model)


def test_a_newcomer_stands_where_the_features_say_that_tell_him_from_others() -> None:
    table, ones = Attributes(), np.ones(DIMENSIONS)
    # 5 and 6 part the users; 8 is had by all of them, and 9 has nothing to say yet.
    for _ in range(100):
        for feature, vector in ((5, ones), (6, -ones)):
            teach(table, [feature, 8], vector)
    asked = np.zeros((5, FEATURES), np.uint32)
    asked[:, :3] = [[5, 8, 9], [6, 9, 8], [5, 6, 8], [8, 0, 0], [9, 0, 0]]
    vectors, known = table.vectors(asked, np.array([3, 3, 3, 1, 1]))
    assert known.tolist() == [True, True, True, True, False]
    np.testing.assert_allclose(vectors[:, 0], [1.0, -1.0, 0.0, 0.0, 0.0], atol=0.02)


def test_where_people_stand_at_their_beginning_counts_most() -> None:
    table = Attributes()
    for before in range(1, 51):
        teach(table, [5], np.full(DIMENSIONS, before), before=before)
    vectors, _ = table.vectors(np.full((1, FEATURES), 5, np.uint32), np.array([1]))
    assert 1.0 < vectors[0, 0] < 3.0


# Two groups with tastes of their own; the larger one decides what is popular.
GROUPS = {"blue": 30, "green": 70}


def taught() -> tuple[Engine, list[Click]]:
    """An engine that has learned what members of the groups do, and what they did."""
    model, draw = Engine(resident_users=1000, rating_users=10), np.random.default_rng(0)
    clicks = []
    for step in range(20):
        for group, size in GROUPS.items():
            for user in range(size):
                item = f"{group}{(3 * user + step + int(draw.integers(3))) % 40}"
                clicks.append(Click(f"{group}-{user}", item, START + (step * 100 + user) * MINUTE_MS))
    for group, size in GROUPS.items():
        for user in range(size):
            describe(model, f"{group}-{user}", {"group": group, "age": float(20 + user % 40), "member": True})
    return learned(clicks, 100, model), clicks


def describe(model: Engine, user: str, attributes: dict[str, str | float | bool]) -> int:
    model.users.admit(user, None)
    model.users.describe(model.users.slot(user), features(attributes))
    return model.users.slot(user)


@pytest.fixture(scope="module")
def groups() -> tuple[Engine, list[Click]]:
    return taught()


def test_newcomers_with_attributes_are_shown_what_their_groups_like(groups: tuple[Engine, list[Click]]) -> None:
    model, _ = groups
    popular, own, of_popular = model.popular(POPULAR, 10)[0], 0, 0
    for group in GROUPS:
        slots = np.array([describe(model, f"new {group}", {"group": group, "age": 25.0, "member": True})], np.int32)
        assert model.views.knows(slots).all()
        shown = [model.items.catalogue.ids[row] for row in model.refresh(slots, 10, 5).rows[0]]
        assert all(item.startswith(group) for item in shown[:3])
        own += sum(item.startswith(group) for item in shown)
        of_popular += sum(item.startswith(group) for item in popular)
        assert model.vectors([f"new {group}"])[0][1].any()
    assert of_popular == 10  # what is popular cannot please both
    assert own >= 16


def test_of_whom_nothing_is_known_there_is_nothing_to_make_a_list_from(groups: tuple[Engine, list[Click]]) -> None:
    model, _ = groups
    slots = [describe(model, "stranger", {"planet": "Mars"}), describe(model, "nobody", {}), model.users.slot("blue-1")]
    assert model.views.knows(np.array(slots, np.int32)).tolist() == [False, False, True]


def test_the_attributes_of_an_active_user_do_not_change_his_list(groups: tuple[Engine, list[Click]]) -> None:
    model, _ = groups
    slots = np.array([model.users.slot("blue-1")], np.int32)
    before = model.refresh(slots, 10, 0)
    describe(model, "blue-1", {"group": "green"})
    np.testing.assert_array_equal(model.refresh(slots, 10, 0).rows, before.rows)


def test_lessons_carry_attributes_through_bytes_and_checkpoints_hold_what_they_taught() -> None:
    model, clicks = taught()
    assert model.items.attributes.weights.any()
    other = Engine(resident_users=1000, rating_users=10)
    for user in model.users:
        group, number = user.split("-")
        describe(other, user, {"group": group, "age": float(20 + int(number) % 40), "member": True})
    for position, start in enumerate(range(0, len(clicks), 100)):
        lessons = observe(other, clicks[start : start + 100], start).lessons
        assert lessons.attribute_lengths.tolist() == [3] * len(lessons)
        other.learn(decode_lessons(encode_lessons(lessons)), position)
    assert differences(model.items.state()["attributes"], other.items.state()["attributes"]) == []
    restored = ItemModel(rating_users=10)
    restored.restore(model.items.state())
    assert differences(model.items.state()["attributes"], restored.state()["attributes"]) == []


def test_attributes_are_stored_with_the_user_and_replaced_whole() -> None:
    model = Engine(resident_users=10)
    slot = describe(model, "u", {"a": "1", "b": "2"})
    describe(model, "u", {"c": "3"})
    state = model.users.encode(slot)
    model.users.clear()
    model.users.admit("u", state)
    found, n = model.users.attributes(np.array([model.users.slot("u")], np.int32))
    assert found[0, : n[0]].tolist() == features({"c": "3"}).tolist()
