"""Gorse's shapes from and to ours: nothing is lost on the way, and what cannot be kept is refused."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.events import Click, InvalidEvent, Rating
from serving.gorse import labels, shapes

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
SCALAR = TEXT | st.booleans() | st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
TREE = st.recursive(
    SCALAR | st.lists(SCALAR, min_size=1, max_size=3),
    lambda inner: st.dictionaries(TEXT.filter(bool), inner, min_size=1, max_size=3),
    max_leaves=8,
)
LABELS = st.lists(SCALAR, min_size=1, max_size=4) | st.dictionaries(TEXT.filter(bool), TREE, min_size=1, max_size=4)


@given(LABELS)
def test_labels_come_out_of_tags_as_they_went_in(given: Any) -> None:
    assert labels.from_tags(labels.to_tags(given)) == given


@given(st.dictionaries(TEXT.filter(bool), TREE, min_size=1, max_size=4))
def test_labels_come_out_of_attributes_as_they_went_in_where_nothing_is_listed_twice(given: Any) -> None:
    assert labels.from_attributes(labels.to_attributes(given)) == _distinct(given)


def _distinct(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _distinct(inner) for name, inner in value.items()}
    if isinstance(value, list):  # 1 and True are equal and not the same
        return list({(type(each), repr(each)): each for each in value}.values())
    return value


@given(st.lists(TEXT.filter(bool), max_size=4), st.dictionaries(TEXT.filter(bool), SCALAR, max_size=4))
def test_what_was_not_made_from_labels_is_shown_all_the_same(tags: list[str], attributes: dict[str, Any]) -> None:
    labels.from_tags(tags)
    labels.from_attributes(attributes)


@pytest.mark.parametrize("wrong", ["text", 5, [["nested"]], {"a": [{"b": 1}]}, {"a": ["x"] * 257}])
def test_labels_that_cannot_be_kept_are_refused(wrong: Any) -> None:
    with pytest.raises(InvalidEvent, match="Labels"):
        shapes.fields_of(shapes.ItemPatch(Labels=wrong, IsHidden=None, Categories=None, Timestamp=None, Comment=None))


@pytest.mark.parametrize("wrong", ["\ud800", 2**70])
def test_labels_that_are_no_json_are_refused(wrong: Any) -> None:
    with pytest.raises(InvalidEvent, match="Labels"):
        shapes.attributes_of(shapes.UserPatch(Labels={"a": wrong}, Comment=None))


def feedback(**fields: Any) -> shapes.Feedback:
    return shapes.Feedback.model_validate({"FeedbackType": "like", "UserId": "ann", "ItemId": "x"} | fields)


def test_feedback_becomes_the_event_that_its_type_says() -> None:
    types = {"star": "like", "score": "rating"}
    at = "1970-01-01T00:00:05Z"
    assert shapes.event_of(feedback(FeedbackType="star", Timestamp=at), types, 10**6) == Click("ann", "x", 5000, "like")
    assert shapes.event_of(feedback(FeedbackType="play", Value=2), types, 7) == Click("ann", "x", 7, "play", 2.0)
    assert shapes.event_of(feedback(FeedbackType="score", Value=4, Timestamp=at), types, 10**6) == Rating(
        "ann", "x", 4.0, 5000
    )
    for wrong in ({"FeedbackType": "stare"}, {"Timestamp": "soon"}, {"Timestamp": "1969-01-01"}, {"ItemId": "x" * 257}):
        with pytest.raises(InvalidEvent):
            shapes.event_of(feedback(**wrong), types, 10**6)


@given(st.integers(0, 4_000_000_000_000))
def test_times_come_out_as_they_went_in(milliseconds: int) -> None:
    assert shapes.milliseconds(shapes.timestamp(milliseconds)) == milliseconds


def test_an_item_without_anything_is_shown_and_comes_back_as_nothing() -> None:
    shown = shapes.item_of({"item": "x"})
    assert shown["Labels"] is None
    item = shapes.Item.model_validate(shown)
    assert shapes.fields_of(item) == {"title": "", "categories": [], "hidden": False}
    assert msgspec.json.encode(shapes.item_of({"item": "x", "created": 10**18}))
