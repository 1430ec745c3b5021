"""The events that enter through Kafka: their types, their JSON form, and what makes one invalid.

``decode`` is the only way in: it turns a message value into a typed event or raises :class:`InvalidEvent`, whose text
names the value and the remedy and is what the dead letter carries.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

import msgspec
import xxhash
from msgspec import UNSET, Raw, UnsetType

MAX_ID_BYTES = 256
# One event from the year 2100 must not end every decay.
MAX_AHEAD_MS = 24 * 3600 * 1000
TYPES = ("click", "view", "play", "like", "cart", "purchase", "share", "rating", "dislike", "skip", "hide")
"""What a visitor can do to an item. Stored states hold positions in this tuple: append, never reorder."""
NEGATIVE_TYPES = frozenset({"dislike", "skip", "hide"})
"""Not a wish for the item: history and context, but nothing is learned as liked and the item does not return."""
UNDO = "undo"
"""Takes back all that the user has done to the item so far. Nothing that is remembered, so it has no place in TYPES."""


REASONS = (
    "malformed",
    "invalid",
    "bad id",
    "bad time",
    "unknown type",
    "bad rating",
    "key is not the user",
    "key is not the item",
    "poison",
)
"""Why messages cannot be used, in short."""


class InvalidEvent(ValueError):
    """A message that is not an event.

    Parameters
    ----------
    reason : str
        One of :data:`REASONS`, for counting.
    detail : str
        The offending value and what to do about it.
    """

    def __init__(self, reason: str, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
        self.detail = detail


if TYPE_CHECKING:
    Id = str
else:
    Id = str | int  # until `decode` has made it a string
"""Ids are non-empty strings of at most 256 bytes of UTF-8; integers are accepted and become strings."""


class Click(msgspec.Struct, omit_defaults=True, gc=False):
    """What a visitor did to an item: a click, a view, a purchase, a dislike …; or that it is taken back."""

    user: Id
    item: Id
    time: int | None = None  # ms since the epoch, event time; absent = the record's own time stamp
    type: str = "click"
    value: float | None = None
    id: Id | None = None  # the event's own identity; absent = (user, item, type, time)
    list_id: str | None = msgspec.field(default=None, name="list")  # version of the list that was clicked
    session: Id | None = None
    context: dict[str, Any] | None = None


class Rating(msgspec.Struct, omit_defaults=True, gc=False):
    """An explicit rating of an item."""

    user: Id
    item: Id
    rating: float
    time: int | None = None  # ms since the epoch
    id: Id | None = None


class Impression(msgspec.Struct, omit_defaults=True, gc=False):
    """A list that was shown to a visitor."""

    user: Id
    items: list[Id]
    list_id: str = msgspec.field(name="list")
    time: int | None = None  # ms since the epoch
    propensities: list[float] | None = None
    arm: str | None = None


class Item(msgspec.Struct, omit_defaults=True, gc=False):
    """What is known of an item; the newest record of an item replaces the earlier ones whole."""

    item: Id
    title: str | None = None
    categories: list[str] = []
    text: str | None = None
    tags: list[str] = []
    vector: list[float] | None = None
    hidden: bool = False
    expires: int | None = None  # ms since the epoch
    created: int | None = None  # ms since the epoch
    deleted: bool = False
    brand: str | None = None


class User(msgspec.Struct, omit_defaults=True, gc=False):
    """What is known of a visitor, or the wish to be forgotten."""

    user: Id
    forget: bool = False
    attributes: dict[str, str | float | bool] = {}


Event = Click | Rating | Impression | Item | User
E = TypeVar("E", bound=Event)

KINDS: dict[str, type[Click | Rating | Impression | Item | User]] = {
    "clicks": Click,
    "ratings": Rating,
    "impressions": Impression,
    "items": Item,
    "users": User,
}
_decoders: dict[Any, msgspec.json.Decoder[Any]] = {kind: msgspec.json.Decoder(kind) for kind in KINDS.values()}
_encoder = msgspec.json.Encoder()


class _Telling(msgspec.Struct):
    """Which of the telling fields an object has; their values stay unparsed."""

    user: Raw | UnsetType = UNSET
    item: Raw | UnsetType = UNSET
    items: Raw | UnsetType = UNSET
    rating: Raw | UnsetType = UNSET
    list: Raw | UnsetType = UNSET


_telling = msgspec.json.Decoder(_Telling)


def kind_of(value: bytes | Raw) -> type[Event]:
    """Return which event a JSON object is where no topic says it.

    With ``rating`` a rating, with ``items`` and ``list`` an impression, with ``item`` but no ``user`` an item, with
    both a click, with ``user`` alone a user.

    Raises
    ------
    msgspec.DecodeError, UnicodeDecodeError, RecursionError
        When it is none of these, or no JSON object.
    """
    fields = _telling.decode(value)
    if fields.rating is not UNSET:
        return Rating
    if fields.items is not UNSET and fields.list is not UNSET:
        return Impression
    if fields.item is not UNSET:
        return Item if fields.user is UNSET else Click
    if fields.user is not UNSET:
        return User
    raise msgspec.ValidationError("an event names a 'user', an 'item' or both")


def decode(kind: type[E], value: bytes | Raw | None, key: bytes | None, timestamp: int, *, any_key: bool = False) -> E:
    """Decode and validate one message.

    Parameters
    ----------
    kind : type
        The event type that the topic carries, see :data:`KINDS`.
    value, key : bytes or None
        As they stand in Kafka.
    timestamp : int
        The record's own time stamp in ms since the epoch: the event's time where it names none.
    any_key : bool
        Whether it may have another key, or none.

    Returns
    -------
    Click, Rating, Impression, Item or User
        With ids as strings and ``time`` filled in.

    Raises
    ------
    InvalidEvent
        When the message cannot be used; nothing about it may be learned then.
    """
    if value is None:
        raise InvalidEvent("malformed", "the message has no value; send a JSON object")
    try:
        event = _decoders[kind].decode(value)
    except msgspec.ValidationError as error:
        raise InvalidEvent("invalid", f"{error}; see the JSON Schema of this topic") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidEvent("malformed", f"{error}; send one JSON object in UTF-8 per message") from error
    if kind is Item:
        event.item = _identifier("item", event.item)
        if not any_key:
            _check_key("item", event.item, key)
        return event  # type: ignore[no-any-return]
    event.user = _identifier("user", event.user)
    if kind is Click or kind is Rating:
        event.item = _identifier("item", event.item)
        event.id = event.id if event.id is None else _identifier("id", event.id)
        if kind is Click and event.type not in TYPES and event.type != UNDO:
            raise InvalidEvent("unknown type", f"{event.type[:80]!r} is none of {', '.join((*TYPES, UNDO))}")
        if kind is Rating and not abs(event.rating) <= 1e6:
            raise InvalidEvent("bad rating", f"{event.rating!r} is outside ±1,000,000")
    elif kind is Impression:
        event.items = [_identifier("items", item) for item in event.items]
    if kind is not User:
        event.time = _event_time(event.time, timestamp)
    if not any_key:
        _check_key("user", event.user, key)
    return event  # type: ignore[no-any-return]


def encode(event: Event) -> bytes:
    """Encode an event as the JSON that :func:`decode` reads; fields at their defaults are left out."""
    return _encoder.encode(event)


def item_key(item: str) -> int:
    """Return the 64-bit key of an item id (xxh3), the same on every worker and in every stored state."""
    return xxhash.xxh3_64_intdigest(item)


def identity(event: Click | Rating) -> int:
    """Return the 64-bit identity of an event within its user's history.

    An event whose identity already stands in the history is a repeat of the same message, not a new event: its ``id``
    when it has one, else (item, type, time). The user is left out because identities are compared per user.
    """
    if event.id is not None:
        return xxhash.xxh3_64_intdigest(f"id {event.id}")
    type_ = event.type if isinstance(event, Click) else "rating"
    return xxhash.xxh3_64_intdigest(f"{event.time} {type_} {event.item}")


def _identifier(field: str, value: Id) -> str:
    text = str(value)
    if not text:
        raise InvalidEvent("bad id", f"{field!r} is empty; ids have at least one character")
    if len(text) * 4 > MAX_ID_BYTES and len(text.encode()) > MAX_ID_BYTES:
        raise InvalidEvent("bad id", f"{field!r} is longer than {MAX_ID_BYTES} bytes: {text[:40]!r}…")
    return text


def _event_time(time: int | None, timestamp: int) -> int:
    if time is None:
        return timestamp
    if time < 0:
        raise InvalidEvent("bad time", f"{time} is before 1970; send milliseconds since the epoch")
    if time > timestamp + MAX_AHEAD_MS:
        raise InvalidEvent("bad time", f"{time} is more than a day after the record's own time stamp {timestamp}")
    return time


def _check_key(field: str, value: str, key: bytes | None) -> None:
    if key is None or key != value.encode():
        shown = "absent" if key is None else repr(key[:40])
        raise InvalidEvent(
            f"key is not the {field}",
            f"the key is {shown} and the {field} {value[:40]!r}; Kafka keeps one {field}'s events in order only under "
            f"one key: produce with key={value[:40]!r}",
        )
