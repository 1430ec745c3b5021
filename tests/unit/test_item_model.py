"""The item model is a pure function of the learning log: whoever wrote it, however often, wherever it is cut."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from workload import events, lessons, moved, stretch

from contracts.learning import Introduction, Lessons, decode_lessons, encode_lessons, introduction
from models.checks import differences
from models.item_model import ItemModel, UnfitModel

N = 300
WHOLE = lessons(events(N))
WISHES_IN_IT = int((WHOLE.weight > 0).sum())
cuts = st.lists(st.integers(1, N - 1), max_size=8).map(lambda points: [0, *sorted(set(points)), N])


def fold(records: list[Lessons], model: ItemModel | None = None, position: int = 0) -> ItemModel:
    """Return the model that learned these records of the log."""
    model = model or ItemModel(seed=1, rating_users=10)
    for index, record in enumerate(records):
        model.learn(record, position + index)
    return model


def log(points: list[int], whole: Lessons = WHOLE) -> list[Lessons]:
    """Return the records of a stream that was cut at these offsets."""
    return [stretch(whole, start, stop) for start, stop in pairwise(points)]


def introduced(*names: str) -> Lessons:
    """Return the record that makes items known."""
    return introduction([Introduction(name) for name in names])


@given(cuts)
@settings(max_examples=15)
def test_the_same_records_give_the_same_bytes(points: list[int]) -> None:
    one, other = fold(log(points)), fold([decode_lessons(encode_lessons(record)) for record in log(points)])
    assert differences(one.state(), other.state()) == []
    assert one.events == WISHES_IN_IT
    assert one.position == len(points) - 1


@given(cuts, st.data())
@settings(max_examples=25)
def test_what_was_sent_again_after_a_crash_changes_nothing(points: list[int], data: st.DataObject) -> None:
    once = log(points)
    again = [stretch(WHOLE, data.draw(st.integers(0, start)), stop) for start, stop in pairwise(points)]
    one, other = fold(once), fold(again)
    assert differences(one.state(), other.state()) == []
    assert one.gaps == 0


@given(cuts, st.integers(0, N - 1), st.integers(1, N))
@settings(max_examples=15)
def test_a_record_that_was_learned_is_learned_once(points: list[int], start: int, stop: int) -> None:
    model = fold(log(points))
    before = model.state()
    assert model.learn(stretch(WHOLE, min(start, stop - 1), max(start + 1, stop)), model.position) == 0
    after = model.state()
    assert after.pop("position") == before.pop("position") + 1
    assert differences(before, after) == []


@given(cuts)
@settings(max_examples=15)
def test_nothing_learned_depends_on_where_the_log_is_cut(points: list[int]) -> None:
    one, other = fold([WHOLE]).state(), fold(log(points)).state()
    del one["position"], other["position"]
    assert differences(one, other) == []


@pytest.mark.parametrize("at", [1, 7, 19])
def test_a_restored_model_ends_with_the_same_bytes(at: int) -> None:
    records = log(list(range(0, N + 1, 15)))
    without, first, restored = fold(records), fold(records[:at]), ItemModel(seed=1, rating_users=10)
    restored.restore(first.state())
    assert differences(first.state(), restored.state()) == []
    fold(records[at:], restored, at)
    assert differences(without.state(), restored.state()) == []


def test_a_state_does_not_change_while_learning_goes_on() -> None:
    records = log([0, 150, N])
    model, twin = fold(records[:1]), fold(records[:1])
    kept = model.state()
    model.learn(records[1], 1)
    assert differences(kept, twin.state()) == []


@pytest.mark.parametrize("position", [0, 1])
def test_a_position_that_was_read_is_skipped_whole(position: int) -> None:
    records = log([0, 100, 200, N])
    model = fold(records[:2])
    before = model.state()
    assert model.learn(records[2], position) == 0
    assert differences(before, model.state()) == []


def test_draws_depend_on_the_seed_and_on_the_number_of_the_event_not_on_the_record() -> None:
    records = log([0, N])
    one = fold(records).embeddings.outputs
    assert np.array_equal(fold(records, position=5).embeddings.outputs, one)
    assert not np.array_equal(fold(records, ItemModel(seed=2, rating_users=10)).embeddings.outputs, one)


def test_gaps_are_counted_and_learning_goes_on() -> None:
    model = fold([stretch(WHOLE, 0, 100), stretch(WHOLE, 130, 200)])
    assert model.gaps == 2 * 30  # in each of the two topics
    covered = (WHOLE.offset < 100) | ((WHOLE.offset >= 130) & (WHOLE.offset < 200))
    assert model.events == sum(covered & (WHOLE.weight > 0))


def test_a_log_may_begin_in_the_middle_of_a_topic() -> None:
    assert fold([stretch(WHOLE, 200, N)]).gaps == 0


def test_a_topic_that_was_created_again_is_another_source() -> None:
    model = fold(log([0, N]))
    assert model.learn(moved(WHOLE, "another id"), 1) == WISHES_IN_IT
    assert model.events == 2 * WISHES_IN_IT
    assert model.gaps == 0


def test_messages_that_teach_nothing_are_covered_all_the_same() -> None:
    silent = stretch(WHOLE, N, N + 10)
    assert len(silent) == 0
    model = fold([*log([0, N]), silent])
    assert model.learn(stretch(WHOLE, 5, N), 2) == 0
    assert model.gaps == 0


def test_introduced_items_have_rows_and_are_not_known() -> None:
    model = fold([introduced("new", "i1"), *log([0, N])])
    assert model.catalogue.ids[:2] == ["new", "i1"]
    assert model.catalogue.events[0] == 0
    assert 0 not in model.catalogue.known[: model.catalogue.n_known]
    assert model.embeddings.outputs[0].any()
    assert model.events == WISHES_IN_IT


def test_growth_beyond_the_first_capacity_is_the_same_in_one_step_or_many() -> None:
    names = [f"n{index}" for index in range(5000)]
    records = log([0, 100, 200, N])
    one = fold([introduced(*names), introduced(), introduced(), *records])
    many = fold([introduced(*names[:900]), introduced(*names[:2100]), introduced(*names), *records])
    assert one.catalogue.capacity >= 5000
    assert differences(one.state(), many.state()) == []
    restored = ItemModel(seed=1, rating_users=10)
    restored.restore(one.state())
    assert differences(one.state(), restored.state()) == []


def test_an_item_that_nobody_introduced_stays_out_of_histories() -> None:
    start = 150
    late = fold([stretch(WHOLE, start, N)])
    unknown = set(WHOLE.history.tolist()) - set(late.catalogue.keys[: len(late.catalogue)].tolist())
    assert np.isfinite(late.embeddings.outputs).all()
    assert (late.catalogue.rows(np.array(sorted(unknown), np.uint64)) == -1).all()


def test_touched_items_are_handed_out_once() -> None:
    model = fold(log([0, N]))
    handed = [*model.touched(10), *model.touched(1000)]
    assert sorted(handed) == sorted(set(model.catalogue.known[: model.catalogue.n_known].tolist()))
    assert model.touched(10) == []


@pytest.mark.parametrize(("field", "value", "message"), [("format", 1, "format 1"), ("seed", 9, "seed 9")])
def test_a_state_of_another_model_is_refused(field: str, value: int, message: str) -> None:
    with pytest.raises(UnfitModel, match=message):
        ItemModel(seed=1).restore({**ItemModel(seed=1).state(), field: value})
