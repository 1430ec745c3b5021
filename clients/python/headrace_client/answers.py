"""What the service answers, as types. Fields that a newer service adds are ignored."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, dataclass, field, fields
from typing import Any, TypeVar

from headrace_client.errors import UnexpectedAnswer


@dataclass(frozen=True, slots=True)
class Shown:
    """One item of a list."""

    item: str
    score: float  # comparable within one list only
    rating: float | None = None  # predicted, of users who rate
    title: str | None = None  # with `titles`, where it is known
    reasons: tuple[str, ...] | None = None  # with `explain`: what speaks loudest for it, then the items behind
    because: str | None = None  # with `explain`: the reasons in words


@dataclass(frozen=True, slots=True)
class Recommended:
    """A list for a user or a guest.

    Attributes
    ----------
    stage : str
        Where the first item comes from: ``personal``, ``session``, ``text``, ``candidates``, ``popular``, ``trending``,
        ``latest``; ``empty`` when there is none.
    namespace : str
        The deployment that made the list.
    version : str or None
        Of the user's own list: the ``list`` that clicks may name.
    time : int or None
        When the list was made, ms since the epoch.
    fresh : bool or None
        With ``after``: whether the list shows what the token stands for.
    """

    stage: str
    namespace: str
    version: str | None
    time: int | None
    items: tuple[Shown, ...]
    fresh: bool | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """A list that belongs to no user: an item's neighbours, or what is popular."""

    namespace: str
    time: int | None  # when it was made, ms since the epoch; None while there is none
    items: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Taste:
    """What the published vectors say of an item and a user."""

    score: float  # the user's vector · the item's
    below: int  # items of the list that score lower
    of: int  # items of the list that have a vector


@dataclass(frozen=True, slots=True)
class Near:
    """An item that goes with the one in question."""

    item: str
    score: float  # 0 … 1
    rank: int | None  # its place on the list; None: an item that the list rests on
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Explained:
    """Why an item is on a user's list, or why it is not."""

    item: str
    because: str  # all of it in words
    listed: bool
    withheld: bool
    namespace: str
    version: str | None
    time: int | None
    rank: int | None  # from 1
    score: float | None
    rating: float | None
    reasons: tuple[str, ...]
    taste: Taste | None
    near: tuple[Near, ...]
    title: str | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """One event of a request that was not published; sending it again changes nothing."""

    index: int  # its place in the request, from 0
    reason: str  # stable, for programs
    message: str  # the value and the remedy
    event: str  # how it begins


@dataclass(frozen=True, slots=True)
class Accepted:
    """What was published."""

    token: str | None  # for `after` of recommend; None where no list can show it
    accepted: int
    refused: tuple[Refused, ...] = ()


@dataclass(frozen=True, slots=True)
class Record:
    """What is known of an item; times in ms since the epoch."""

    item: str
    title: str | None = None
    categories: tuple[str, ...] = ()
    text: str | None = None
    tags: tuple[str, ...] = ()
    vector: tuple[float, ...] | None = None
    hidden: bool = False
    expires: int | None = None
    created: int | None = None
    brand: str | None = None


@dataclass(frozen=True, slots=True)
class Exported:
    """All that is kept of a person."""

    user: str
    attributes: dict[str, Any] = field(default_factory=dict)
    namespaces: dict[str, Any] = field(default_factory=dict)  # deployment → history, earlier, list, vector


@dataclass(frozen=True, slots=True)
class State:
    """How the service is: ``ok`` or ``ready``."""

    status: str


A = TypeVar("A")
_PARTS: dict[type[Any], dict[str, type[Any]]] = {
    Recommended: {"items": Shown},
    Listed: {"items": Shown},
    Explained: {"near": Near, "taste": Taste},
    Accepted: {"refused": Refused},
}
FRESH = "headrace-fresh"


def parse(kind: type[A], body: bytes, headers: Mapping[str, str]) -> A:
    """Return an answer as its type.

    Raises
    ------
    UnexpectedAnswer
        When it is none: something else answers at this address.
    """
    try:
        made: A = _made(kind, json.loads(body), {"fresh": headers[FRESH] == "true"} if FRESH in headers else {})
    except (ValueError, TypeError, KeyError) as error:
        raise UnexpectedAnswer(
            f"this is no {kind.__name__} ({error}): {body[:80]!r}; is it Headrace that answers at this address?"
        ) from error
    return made


def _made(kind: type[Any], data: Any, more: Mapping[str, Any]) -> Any:
    if not isinstance(data, dict):
        raise TypeError("no JSON object")
    parts, given = _PARTS.get(kind, {}), dict(more)
    for each in fields(kind):
        if each.name in data:
            given[each.name] = _value(data[each.name], parts.get(each.name))
        elif each.name not in given and each.default is MISSING and each.default_factory is MISSING:
            raise KeyError(each.name)
    return kind(**given)


def _value(value: Any, kind: type[Any] | None) -> Any:
    if kind is not None and isinstance(value, Sequence):
        return tuple(_made(kind, each, {}) for each in value)
    if kind is not None and value is not None:
        return _made(kind, value, {})
    return tuple(value) if isinstance(value, list) else value
