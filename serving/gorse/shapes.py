"""Items, users and feedback as Gorse has them, from and to what we have. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from pydantic import BaseModel, Field

from contracts.events import TYPES, Click, InvalidEvent, Rating
from serving.gorse import labels
from serving.lists.recommend import Recommendation
from serving.reading.live import Event
from serving.writing import bodies

RATING = "rating"
_NO_TIME = "0001-01-01T00:00:00Z"


class ItemPatch(BaseModel):
    """What may be changed of an item; what is null stays."""

    IsHidden: bool | None = None
    Categories: list[str] | None = None
    Timestamp: str | None = Field(None, description="ISO 8601; becomes `created`.")
    Labels: Any = Field(None, description="Become tags.")
    Comment: str | None = Field(None, description="Becomes the title.")


class Item(ItemPatch):
    """An item."""

    ItemId: str = Field(min_length=1)


class UserPatch(BaseModel):
    """What may be changed of a user."""

    Labels: Any = Field(None, description="Become attributes.")
    Comment: str | None = Field(None, description="Not kept.")


class User(UserPatch):
    """A user."""

    UserId: str = Field(min_length=1)


class Done(BaseModel):
    """What a guest did."""

    ItemId: str = Field(min_length=1)
    Timestamp: str | None = Field(None, description="ISO 8601; absent = now.")


class Feedback(Done):
    """What a user did to an item."""

    FeedbackType: str = Field(min_length=1)
    UserId: str = Field(min_length=1)
    Value: float = 0.0
    Comment: str | None = Field(None, description="Not kept.")


class Score(BaseModel):
    """An item of a list."""

    Id: str
    Score: float


class Success(BaseModel):
    """What has been written."""

    RowAffected: int


def fields_of(item: ItemPatch) -> dict[str, Any]:
    """Return what is said of an item as fields of our record; what is null is left out.

    Raises
    ------
    InvalidEvent
        When a time is none, or labels cannot be kept.
    """
    found = {
        "title": item.Comment, "categories": item.Categories, "hidden": item.IsHidden,
        "created": milliseconds(item.Timestamp or "") if item.Timestamp not in (None, "", _NO_TIME) else None,
        "tags": None if item.Labels is None else _kept(labels.to_tags, item.Labels),
    }  # fmt: skip
    return {name: value for name, value in found.items() if value is not None}


def item_of(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record of an item as Gorse shows it."""
    created = record.get("created")
    return {
        "ItemId": record["item"],
        "IsHidden": record.get("hidden", False),
        "Categories": record.get("categories", []),
        "Timestamp": timestamp(created) if created is not None else _NO_TIME,
        "Labels": labels.from_tags(record.get("tags", [])),
        "Comment": record.get("title", ""),
    }


def attributes_of(user: UserPatch) -> dict[str, Any]:
    """Return a user's labels as attributes.

    Raises
    ------
    InvalidEvent
    """
    return dict(_kept(labels.to_attributes, user.Labels))


def user_of(user: str, attributes: Mapping[str, Any]) -> dict[str, Any]:
    """Return a user as Gorse shows him."""
    return {"UserId": user, "Labels": labels.from_attributes(attributes), "Comment": ""}


def type_of(feedback: str, types: Mapping[str, str]) -> str:
    """Return the type of event that a type of feedback is.

    Parameters
    ----------
    feedback : str
    types : mapping of str to str
        Names that are not ours.

    Raises
    ------
    InvalidEvent
        When it is none.
    """
    found = types.get(feedback, feedback)
    if found not in TYPES:
        raise InvalidEvent(
            "unknown type",
            f"feedback type {feedback[:80]!r} is none of {', '.join(TYPES)}; say in serving.gorse_types which it is",
        )
    return found


def event_of(feedback: Feedback, types: Mapping[str, str], now: int) -> Click | Rating:
    """Return feedback as an event.

    Raises
    ------
    InvalidEvent
        When it cannot be used.
    """
    kind = type_of(feedback.FeedbackType, types)
    fields: dict[str, Any] = {"item": feedback.ItemId}
    if feedback.Timestamp:
        fields["time"] = milliseconds(feedback.Timestamp)
    if kind == RATING:
        return bodies.one(Rating, fields | {"rating": feedback.Value}, "user", feedback.UserId, now)
    fields |= {"type": kind} | ({"value": feedback.Value} if feedback.Value else {})
    return bodies.one(Click, fields, "user", feedback.UserId, now)


def feedback_of(user: str, event: Event, name: str | None = None) -> dict[str, Any]:
    """Return an event of a user's history as feedback, of its own type or as it is called."""
    return {
        "FeedbackType": name or event.type,
        "UserId": user,
        "ItemId": event.item or "",  # one that is not known any more
        "Value": event.rating or 0,
        "Timestamp": timestamp(event.time),
        "Comment": "",
    }


def score_of(entry: Recommendation) -> dict[str, Any]:
    """Return an item of a list as Gorse shows it."""
    return {"Id": entry.item, "Score": entry.score}


def milliseconds(timestamp: str) -> int:
    """Return a time of ISO 8601 in ms since the epoch; without a zone it is UTC.

    Raises
    ------
    InvalidEvent
    """
    try:
        found = datetime.fromisoformat(timestamp)
    except ValueError as error:
        raise InvalidEvent("bad time", f"{timestamp[:80]!r} is no time; send 2026-07-23T08:00:00Z") from error
    return round((found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp() * 1000)


def timestamp(milliseconds: int) -> str:
    """Return ms since the epoch as ISO 8601 in UTC."""
    seconds, rest = divmod(milliseconds, 1000)
    try:
        shown = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    except (ValueError, OverflowError, OSError):
        return "9999-12-31T23:59:59Z"  # later than any calendar
    return f"{shown}.{rest:03d}Z" if rest else f"{shown}Z"


def _kept(keep: Any, given: Any) -> Any:
    try:
        return keep(given)
    except (labels.InvalidLabels, UnicodeEncodeError, TypeError, RecursionError) as error:
        raise InvalidEvent("invalid", f"Labels cannot be kept: {str(error)[:200]}") from error
