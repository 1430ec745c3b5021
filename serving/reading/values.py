"""The values that stand in Redis for readers, as types. No input or output here."""

from __future__ import annotations

import logging
from typing import Any, TypeVar

import msgspec

log = logging.getLogger(__name__)


class UserList(msgspec.Struct, gc=False):
    """A user's own list, best first; ``contracts.redis.encode_list`` documents each field."""

    items: list[str]
    scores: list[float]
    version: str  # also the list's id, which clicks and impressions may name
    time: int  # when it was made, ms since the epoch
    reasons: list[list[str]] = []  # of the first items: scorer, then the user's earlier items
    ratings: list[float] | None = None  # predicted, of the first items


class ItemList(msgspec.Struct, gc=False):
    """A list that belongs to no user: an item's neighbours, or what everyone is shown; best first."""

    items: list[str]
    scores: list[float]
    time: int  # ms since the epoch
    after: list[float] = []  # of an item's first neighbours: how often people had each after it …
    before: list[float] = []  # … and before it


class ItemRecord(msgspec.Struct, gc=False):
    """What a page needs to know of an item."""

    item: str
    title: str | None = None
    categories: list[str] = []
    brand: str | None = None
    hidden: bool = False
    deleted: bool = False
    expires: int | None = None  # ms since the epoch


class WorkerStatus(msgspec.Struct, gc=False):
    """What a worker says of itself."""

    worker: str
    time: int  # when it said so, ms since the epoch
    ready: bool
    events_applied: int = 0
    lists_written: int = 0
    lag: int | None = None  # events that it has yet to read


V = TypeVar("V", UserList, ItemList, ItemRecord, WorkerStatus)
_decoders: dict[type, msgspec.json.Decoder[Any]] = {
    kind: msgspec.json.Decoder(kind) for kind in (UserList, ItemList, ItemRecord, WorkerStatus)
}


def decode(kind: type[V], key: str, value: bytes | None) -> V | None:
    """Decode what stands under a key.

    A value that is not what the contract says is logged and reads as absent: one broken key must not fail a page.

    Parameters
    ----------
    kind : type
        What the key holds.
    key : str
        For the log.
    value : bytes or None
        As it stands in Redis; ``None`` where there is no such key.
    """
    if value is None:
        return None
    try:
        found: V = _decoders[kind].decode(value)
        return found
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        log.warning("ignored the value of %s, which is not what the contract says: %s", key, error)
        return None
