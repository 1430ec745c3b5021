"""What one user can teach: nothing beyond his quota of an hour, so that a robot stays out of other people's lists."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pytest
from numpy.typing import NDArray
from workload import MINUTE_MS, START, Events, learned, observe

from contracts.events import Click, Rating, item_key
from models.checks import differences
from models.engine import Engine
from models.users import UserTable

SECOND_MS = 1000
HOUR_MS = 60 * MINUTE_MS
PUSHED = "pushed"


def engine(**limits: int) -> Engine:
    return Engine(resident_users=1000, rating_users=100, **limits)


def visitors(users: int = 120, length: int = 25, items: int = 60) -> list[Click]:
    """Visitors who walk through the items, each from another start; one of them once clicks what will be pushed."""
    draw = np.random.default_rng(0)
    jumps = draw.integers(items, size=(length, users)) * (draw.random((length, users)) < 0.3)
    walks = [
        Click(f"u{user}", f"i{(7 * user + step + int(jumps[step, user])) % items}", START + step * MINUTE_MS + user)
        for step in range(length)
        for user in range(users)
    ]
    return [*walks, Click("u0", PUSHED, START + length * MINUTE_MS)]


def robot(clicks: int, among: int) -> list[Click]:
    """Clicks on one item in turn with others, so that none is an immediate repeat: one a second."""
    start = START + HOUR_MS
    return [Click("robot", PUSHED if n % 2 else f"i{n // 2 % among}", start + n * SECOND_MS) for n in range(clicks)]


def places(model: Engine, users: Sequence[str]) -> NDArray[np.int64]:
    """Return the pushed item's place in the list of each user, counted from 0."""
    slots = np.array([model.users.slot(user) for user in users], np.int32)
    row = model.items.catalogue.row(PUSHED)
    lists = model.refresh(slots, 61, 0).rows
    return np.array([shown.tolist().index(row) for shown in lists])


def after(model: Engine, part: Events, first: int, size: int = 500) -> Engine:
    """Let a model that has learned the stream before ``first`` learn a further part of it."""
    for start in range(0, len(part), size):
        model.learn(observe(model, part[start : start + size], first + start).lessons, model.items.position)
    return model


@pytest.mark.parametrize("among", [3, 12, 40])
def test_a_robot_with_thousands_of_clicks_does_not_enter_other_peoples_lists(among: int) -> None:
    honest, pushes = visitors(), robot(3000, among)
    others = [f"u{user}" for user in range(1, 120)]
    held, free = learned(honest, 100, engine()), learned(honest, 100, engine(taught_per_hour=0, taught_per_item=0))
    before = places(held, others)
    after(held, pushes, len(honest))
    after(free, pushes, len(honest))
    reached, without_limits = places(held, others), places(free, others)
    assert before.min() >= 3
    assert reached.min() >= 3
    assert (reached < 10).sum() <= (before < 10).sum()
    assert (without_limits == 0).sum() >= 3  # at the head of their lists, where he would be


def test_beyond_the_quota_of_an_hour_only_his_own_state_changes() -> None:
    stream = [Click("u", f"i{n}", START + n) for n in range(25)]
    model = engine(taught_per_hour=10)
    observation = observe(model, stream)
    assert observation.lessons.offset.tolist() == list(range(10))
    assert len(observation.lessons.items) == 25  # what stands in a history has a row
    assert len(model.users.history("u")) == 25
    later = observe(model, [Click("u", "new", START + HOUR_MS + n) for n in range(1)], 25)
    assert later.lessons.offset.tolist() == [25]
    # What did not teach is no context either: of the 25 before, only the first ten are.
    assert later.lessons.history.tolist() == [0] * 15 + [item_key(f"i{n}") for n in range(9, -1, -1)]


def test_one_item_teaches_a_few_times_an_hour_however_often_others_lie_between() -> None:
    stream = [Click("u", "a" if n % 3 else f"b{n}", START + n * MINUTE_MS) for n in range(1, 120)]
    stream = [click for n, click in enumerate(stream) if n == 0 or click.item != stream[n - 1].item]
    lessons = observe(engine(taught_per_hour=0), stream).lessons
    times = lessons.time[[lessons.items[row] == "a" for row in lessons.item]]
    assert len(times) > 3
    assert (times[3:] // HOUR_MS > times[:-3] // HOUR_MS).all()
    assert sum(lessons.items[row].startswith("b") for row in lessons.item) == 39


def test_ratings_beyond_the_quota_are_not_learned() -> None:
    stream = [Rating("u", f"i{n}", 5.0 if n < 3 else 1.0, START + n) for n in range(20)]
    model = learned(stream, 7, engine(taught_per_hour=3))
    assert len(model.items.ratings.rows()["items"]) == 3


@pytest.mark.parametrize("size", [1, 7, 60])
def test_where_batches_are_cut_and_states_stored_does_not_matter_to_the_quota(size: int) -> None:
    stream = [Click(f"u{n % 3}", f"i{n * n % 11}", START + n * 7 * MINUTE_MS // 10) for n in range(400)]
    limits = {"taught_per_hour": 20, "taught_per_item": 2}
    whole, parts, stored = learned(stream, 400, engine(**limits)), engine(**limits), dict[str, bytes]()
    for start in range(0, len(stream), size):
        parts.learn(observe(parts, stream[start : start + size], start).lessons, parts.items.position)
        stored |= dict(parts.users.changed().encoded())
        parts.users = UserTable(1000, **limits)
        for user, state in stored.items():
            parts.users.admit(user, state)
    assert 0 < whole.items.events < 400
    one, other = whole.items.state(), parts.items.state()
    for name in ("events", "popularity", "pairs"):
        assert differences(one[name], other[name], name) == []


def test_a_late_event_counts_to_the_newest_hour_and_does_not_open_the_old_one_again() -> None:
    hours = [0, 0, 5, 0, 5, 0, 5]
    stream = [Click("u", f"i{n}", START + hour * HOUR_MS + n) for n, hour in enumerate(hours)]
    assert observe(engine(taught_per_hour=2), stream).lessons.offset.tolist() == [0, 1, 2, 3]
