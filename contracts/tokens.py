"""Tokens: what whoever has published is given, so that he can wait until readers see it.

A token names, for every partition that his records went to, the last of them. It is opaque: what is in it may change.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from contracts.topics import CLICKS, ITEMS, RATINGS, USERS

MAX_LENGTH = 8192
"""Characters of a token, at most."""
_FORMAT = 1
# By position in tokens: append, never reorder. Impressions are missing, because no list ever waits for them.
_TOPICS = (CLICKS.name, RATINGS.name, USERS.name, ITEMS.name)
_decoder = msgspec.msgpack.Decoder(tuple[int, list[int]])


class Place(NamedTuple):
    """Where a record stands in Kafka."""

    topic: str  # without prefix, e.g. ``clicks``
    partition: int
    offset: int


class InvalidToken(ValueError):
    """What was given is no token."""


def encode_token(places: Iterable[Place]) -> str | None:
    """Return the token of what stands at these places; None where there is nothing that one could wait for."""
    last: dict[tuple[int, int], int] = {}
    for topic, partition, offset in places:
        if topic in _TOPICS:
            key = _TOPICS.index(topic), partition
            last[key] = max(offset, last.get(key, 0))
    if not last:
        return None
    numbers = [number for (topic, partition), offset in sorted(last.items()) for number in (topic, partition, offset)]
    return base64.urlsafe_b64encode(msgspec.msgpack.encode((_FORMAT, numbers))).rstrip(b"=").decode()


def decode_token(token: str) -> list[Place]:
    """Return the places of a token.

    Raises
    ------
    InvalidToken
        When it is none, or one of a newer version.
    """
    try:
        if len(token) > MAX_LENGTH:
            raise ValueError
        packed = base64.b64decode(token.encode("ascii") + b"=" * (-len(token) % 4), b"-_", validate=True)
        version, numbers = _decoder.decode(packed)
        if version != _FORMAT or len(numbers) % 3 or min(numbers, default=0) < 0:
            raise ValueError
        parts = zip(numbers[::3], numbers[1::3], numbers[2::3], strict=True)
        return [Place(_TOPICS[topic], partition, offset) for topic, partition, offset in parts]
    except (ValueError, IndexError, binascii.Error, msgspec.MsgspecError) as error:
        raise InvalidToken(
            f"{token[:40]!r} is no token: pass on, unchanged, the one that publishing was answered with"
        ) from error
