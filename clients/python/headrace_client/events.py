"""What may be published, as types; a mapping of the same fields does as well. Times in ms since the epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any


@dataclass(frozen=True, slots=True)
class Click:
    """What a visitor did to an item: ``click``, ``view``, ``play``, ``like``, ``cart``, ``purchase``, ``dislike`` …"""

    user: str | int
    item: str | int
    type: str = "click"
    time: int | None = None  # None = when it arrives
    value: float | None = None
    id: str | None = None  # the same id counts once
    list: str | None = None  # version of the list that was clicked
    session: str | None = None
    context: Mapping[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class Rating:
    """What a visitor thinks of an item, on any scale."""

    user: str | int
    item: str | int
    rating: float
    time: int | None = None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Impression:
    """A list that was shown to a visitor."""

    user: str | int
    items: Sequence[str | int]
    list: str  # its version
    time: int | None = None


Event = Click | Rating | Impression | Mapping[str, Any]


def plain(event: Event) -> dict[str, Any]:
    """Return an event as it is sent: what is not known is left out."""
    if isinstance(event, Mapping):
        return dict(event)
    found = {each.name: getattr(event, each.name) for each in fields(event)}
    return {name: value for name, value in found.items() if value is not None}
