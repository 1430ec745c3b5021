"""Both halves of the engine over whole streams: what users have had, what is learned, what is shown and scored."""

from __future__ import annotations

import numpy as np
import pytest
from workload import START, WISHES, events, learned, observe, run

from contracts.events import NEGATIVE_TYPES, TYPES, Click, Rating, item_key
from contracts.learning import HISTORY, decode_lessons, encode_lessons
from models.arrivals import APPLIED, CONTAINED, DUPLICATE, REPEAT
from models.checks import differences
from models.engine import Engine
from models.ratings import rater


def engine() -> Engine:
    return Engine(resident_users=1000, rating_users=1000)


@pytest.mark.parametrize("types", [WISHES, TYPES], ids=["wishes only", "with dislikes"])
@pytest.mark.parametrize("size", [1, 7])
def test_batches_do_not_matter(size: int, types: tuple[str, ...]) -> None:
    stream = events(700, types=types)
    one, other = learned(stream, 500, engine()), learned(stream, size, engine())
    for user in one.users:
        assert one.users.encode(one.users.slot(user)) == other.users.encode(other.users.slot(user))
    state, again = one.items.state(), other.items.state()
    del state["position"], again["position"]
    assert differences(state, again) == []


def test_histories_are_what_users_did_before() -> None:
    stream, model = events(600), engine()
    had: dict[str, list[str]] = {}
    for start, observation in zip(range(0, len(stream), 50), run(model, stream, 50), strict=True):
        expected, lengths, items = [], [], []
        for event in stream[start : start + 50]:
            before = had.setdefault(str(event.user), [])
            if before[:1] == [event.item]:
                continue
            items.append(event.item)
            lengths.append(len(before[:HISTORY]))
            expected += [item_key(item) for item in before[:HISTORY]]
            before.insert(0, str(event.item))
        lessons = observation.lessons
        assert [lessons.items[index] for index in lessons.item] == items
        assert lessons.lengths.tolist() == lengths
        assert lessons.history.tolist() == expected


def test_lessons_carry_ratings_by_hash_and_no_user() -> None:
    stream = events(200)
    lessons = observe(engine(), stream).lessons
    taught = {int(offset): index for index, offset in enumerate(lessons.offset)}
    for offset, event in enumerate(stream):
        if offset in taught:
            index = taught[offset]
            assert lessons.rater[index] == (rater(str(event.user)) if isinstance(event, Rating) else 0)
            assert lessons.time[index] == event.time
            if isinstance(event, Rating):
                assert lessons.rating[index] == event.rating
            else:
                assert np.isnan(lessons.rating[index])
    assert not any(str(event.user).encode() in encode_lessons(lessons) for event in stream[:1])


def test_learning_goes_through_bytes_unchanged() -> None:
    stream, one, other = events(300), engine(), engine()
    for position, observation in enumerate(run(one, stream, 40)):
        other.learn(decode_lessons(encode_lessons(observation.lessons)), position)
    assert differences(one.items.state(), other.items.state()) == []


def test_observing_teaches_nothing_and_learning_changes_no_user() -> None:
    stream, model = events(200), engine()
    items = model.items.state()
    observation = observe(model, stream)
    assert differences(items, model.items.state()) == []
    users = {user: model.users.encode(model.users.slot(user)) for user in model.users}
    model.learn(observation.lessons, 0)
    assert {user: model.users.encode(model.users.slot(user)) for user in model.users} == users


def test_a_message_sent_again_counts_once() -> None:
    stream, twice = events(200), engine()
    once = learned(stream, 50, engine())
    for position, start in enumerate(range(0, 200, 50)):
        part = stream[start : start + 50]
        observation = observe(twice, part * 2, 2 * start)
        assert (observation.observed.outcome[50:] == DUPLICATE).all()
        twice.learn(observation.lessons, position)
    for name in ("events", "catalogue", "popularity", "pairs"):
        assert differences(once.items.state()[name], twice.items.state()[name], name) == []


def test_a_message_read_again_counts_once() -> None:
    stream, twice = events(200), engine()
    once = learned(stream, 50, engine())
    for position, start in enumerate(range(0, 200, 50)):
        first = max(0, start - 30)
        observation = observe(twice, stream[first : start + 50], first)
        assert (observation.observed.outcome[: start - first] == CONTAINED).all()
        twice.learn(observation.lessons, position)
    assert differences(once.items.state(), twice.items.state()) == []


def test_a_repeat_and_a_duplicate_teach_nothing() -> None:
    model = engine()
    clicks = [Click("u", "a", START), Click("u", "a", START + 1), Click("u", "b", START + 2), Click("u", "a", START)]
    observation = observe(model, clicks)
    assert observation.observed.outcome.tolist() == [APPLIED, REPEAT, APPLIED, DUPLICATE]
    assert observation.lessons.offset.tolist() == [0, 2]


@pytest.mark.parametrize("name", TYPES)
def test_what_counts_as_a_wish(name: str) -> None:
    lessons = observe(engine(), [Click("u", "a", START, name)]).lessons
    assert lessons.items == ["a"]  # it gets a row in any case, because it stands in a history now
    assert lessons.weight.tolist() == [0.0 if name in NEGATIVE_TYPES else 1.0]
    assert [TYPES[kind] for kind in lessons.kind] == [name]


def test_weights_may_be_set_by_type() -> None:
    model = Engine(resident_users=10, weights={"purchase": 3.0, "view": 0.0, "skip": 0.5})
    stream = [Click("u", name, START + n, name) for n, name in enumerate(("purchase", "view", "skip", "hide", "click"))]
    lessons = observe(model, stream).lessons
    taught = [lessons.items[position] for position in lessons.item]
    assert dict(zip(taught, lessons.weight.tolist(), strict=True)) == {
        "purchase": 3.0,
        "view": 0.0,
        "skip": 0.5,
        "hide": 0.0,
        "click": 1.0,
    }


def test_what_is_no_wish_changes_nothing_that_is_learned_of_items() -> None:
    stream = events(400, types=WISHES)
    without, disliked = learned(stream, 100, engine()), learned(stream, 100, engine())
    dislikes = [Click("new", f"i{n}", START + n, name) for n, name in enumerate(sorted(NEGATIVE_TYPES) * 5)]
    before = disliked.items.state()
    assert disliked.learn(observe(disliked, dislikes, 400).lessons, 4) == 0
    after = disliked.items.state()
    del before["position"], before["learned"], after["position"], after["learned"]
    assert differences(before, after) == []
    assert without.items.events == disliked.items.events


def test_lessons_say_how_long_ago_the_event_before_was_and_what_it_was_worth() -> None:
    stream: list[Click | Rating] = [
        Rating("u", "a", 1e6, START),
        Click("u", "b", START + 2999, "skip"),
        Rating("u", "c", 2.5, START - 1),
        Click("v", "a", 5),
        Click("u", "d", 2**53),
    ]
    lessons = observe(engine(), stream).lessons
    assert lessons.gap.tolist() == [0, 2, 0, 0, 2**31 - 1]
    assert [TYPES[kind] for kind in lessons.kind] == ["rating", "skip", "rating", "click", "click"]
    largest = float(np.finfo(np.float16).max)
    assert lessons.value.tolist() == [largest, -np.inf, largest, 2.5, -np.inf, largest]
    assert np.isnan(observe(engine(), [Click("u", "a", 1), Click("u", "b", 2)]).lessons.value).all()


def test_an_item_first_met_by_a_dislike_has_a_row_and_is_not_known() -> None:
    model = learned([Click("u", "a", START, "hide"), Click("u", "b", START + 1)], engine=engine())
    catalogue = model.items.catalogue
    assert catalogue.ids == ["a", "b"]
    assert catalogue.known[: catalogue.n_known].tolist() == [1]
