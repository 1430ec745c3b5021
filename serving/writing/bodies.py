"""From the body of a request to events: one object, an array of them, or JSON lines. Pure.

Each is decided upon alone: what a worker could not use is refused with the reason, and the others are taken.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

import msgspec
from msgspec import Raw

from contracts.events import Click, E, Event, InvalidEvent, Rating, decode, kind_of

JSON_LINES = "application/x-ndjson"
MAX_EVENT = 512 * 1024
"""Bytes of one event; a message of Kafka holds 1 MB."""
_SHOWN = 120
_WHERE = {"Item": "POST /items", "User": "PUT /users/{user}"}
_array = msgspec.json.Decoder(list[Raw])
_object = msgspec.json.Decoder(dict[str, Any])


class InvalidBody(ValueError):
    """A body from which nothing can be taken; the text names the remedy."""


@dataclass(frozen=True, slots=True)
class Refused:
    """One event of a request that was not published."""

    index: int  # its place in the request, from 0; of JSON lines the number of the line, from 0
    reason: str  # stable, for programs: as of dead letters, e.g. "bad time"
    message: str  # the value and the remedy
    event: str  # how it begins


@dataclass(slots=True)
class Taken:
    """What a body holds."""

    events: list[Event] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)


def take(
    body: bytes, media_type: str, kinds: Collection[type[Event]], now: int, most: int, key: str | None = None
) -> Taken:
    """Take the events of a body.

    Parameters
    ----------
    body : bytes
    media_type : str
        :data:`JSON_LINES`, or anything else for JSON.
    kinds : collection of type
        Which events are wanted here.
    now : int
        ms since the epoch: the time of events that name none.
    most : int
        So many events, at most.
    key : str, optional
        Names the request: the same body under the same key gives events of the same identity, which count once. Events
        with an ``id`` keep it.

    Raises
    ------
    InvalidBody
        When the body as a whole is no such thing, or holds more than ``most``.
    """
    taken, number = Taken(), 0
    for index, raw in _parts(body, media_type):
        number += 1
        if number > most:
            raise InvalidBody(
                f"more than {most:,} in one request; send them in several, or raise serving.events_at_once"
            )
        try:
            taken.events.append(_event(raw, kinds, now, f"{index} {key}" if key else None))
        except InvalidEvent as error:
            begin = bytes(raw[:_SHOWN]).decode("utf-8", "replace")
            taken.refused.append(Refused(index, error.reason, error.detail, begin))
    if not number:
        raise InvalidBody("the body is empty; send an event, an array of events, or one event a line")
    return taken


def fields(body: bytes) -> dict[str, Any]:
    """Return the fields of a body that is one JSON object.

    Raises
    ------
    InvalidBody
        When it is none.
    """
    try:
        return _object.decode(body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidBody(f"the body is no JSON object: {error}") from error


def merged(record: Mapping[str, Any], change: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with a change applied to it, as RFC 7396 (JSON Merge Patch) says.

    Examples
    --------
    >>> merged({"title": "Heat", "attributes": {"age": 30, "city": "Rome"}}, {"title": None, "attributes": {"age": 31}})
    {'attributes': {'age': 31, 'city': 'Rome'}}
    """
    result = dict(record)
    for name, value in change.items():
        if isinstance(value, Mapping):
            inner = result.get(name)
            result[name] = merged(inner if isinstance(inner, Mapping) else {}, value)
        elif value is None:
            result.pop(name, None)
        else:
            result[name] = value
    return result


def one(kind: type[E], fields: Mapping[str, Any], name: str, identifier: str, now: int) -> E:
    """Return the event of somebody, or something, whose id stands in the path.

    Raises
    ------
    InvalidEvent
        When it cannot be used, or its fields name another id.
    """
    if str(fields.get(name, identifier)) != identifier:
        raise InvalidEvent(
            "bad id", f"the path names {identifier[:80]!r} and the body another {name}; leave it out there"
        )
    try:
        raw = msgspec.json.encode({**fields, name: identifier})
    except UnicodeEncodeError as error:
        raise InvalidEvent("bad id", f"{identifier[:80]!r} is no text in UTF-8") from error
    return decode(kind, raw, None, now, any_key=True)


def _parts(body: bytes, media_type: str) -> Iterable[tuple[int, bytes]]:
    if media_type == JSON_LINES:
        return [(index, line) for index, line in enumerate(body.split(b"\n")) if line.strip()]
    stripped = body.lstrip()
    if not stripped.startswith(b"["):
        return [(0, stripped)] if stripped else []
    try:
        return [(index, bytes(raw)) for index, raw in enumerate(_array.decode(stripped))]
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidBody(
            f"the body is no JSON array: {error}; JSON lines come with Content-Type: {JSON_LINES}"
        ) from error


def _event(raw: bytes, kinds: Collection[type[Event]], now: int, key: str | None) -> Event:
    if len(raw) > MAX_EVENT:
        raise InvalidEvent("malformed", f"{len(raw):,} bytes; one event has at most {MAX_EVENT:,}")
    try:
        kind = kind_of(raw)
    except msgspec.ValidationError as error:
        raise InvalidEvent("invalid", f"{error}; see the JSON Schemas of the topics") from error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidEvent("malformed", f"{error}; send one JSON object in UTF-8 for each event") from error
    if kind not in kinds:
        where = _WHERE.get(kind.__name__, "POST /events")
        raise InvalidEvent("invalid", f"by its fields this is {_named(kind)}, which goes to {where}")
    event = decode(kind, raw, None, now, any_key=True)
    if key is not None and isinstance(event, Click | Rating) and event.id is None:
        event.id = blake2b(key.encode() + b"\0" + raw, digest_size=16).hexdigest()
    return event


def _named(kind: type[Event]) -> str:
    name = kind.__name__.lower()
    return f"{'an' if name[0] in 'aeiou' else 'a'} {name}"
