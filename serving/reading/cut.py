"""The first items of a stored list as an answer, cut out of its JSON: a tenth of the work of reading it all. Pure.

The answer is the one that :mod:`serving.answers.wire` makes of the list where nothing is wished but a number of items.
"""

from __future__ import annotations

import re
from itertools import zip_longest

import msgspec


class _Parts(msgspec.Struct, gc=False):
    items: msgspec.Raw
    scores: msgspec.Raw
    version: str
    time: int
    ratings: list[float] | None = None


class Cut(msgspec.Struct, gc=False):
    """The head of a list."""

    items: list[str]
    body: bytes
    version: str
    time: int  # ms since the epoch


_VERSION = re.compile("[0-9A-Za-z.-]+")
_numbers = msgspec.json.Decoder(list[float])
_decoder = msgspec.json.Decoder(_Parts)
_SEPARATOR = b'","'
_SCORE = b'","score":'


def cut(value: bytes, n: int, namespace: str) -> Cut | None:
    """Return the first ``n`` items of a stored list, or ``None`` where it must be read whole.

    That is where an id needs escapes, where there are too few scores or a duplicate, and where the value is not what
    the contract says.
    """
    try:
        parts = _decoder.decode(value)
        quoted = bytes(parts.items)
        if b"\\" in quoted or quoted[:2] != b'["' or quoted[-2:] != b'"]':
            return None
        pieces = quoted[2:-2].split(_SEPARATOR, n)[:n]
        scores = bytes(parts.scores)[1:-1].split(b",", n)[:n]
        _numbers.decode(b"[%b]" % b",".join(scores))
        items = _SEPARATOR.join(pieces).decode().split('","')
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    sound = len(set(items)) == len(items) <= len(scores) and b'"' not in b"".join(pieces)
    if not sound or not _VERSION.fullmatch(parts.version):
        return None
    if parts.ratings:
        rated = [b',"rating":' + repr(rating).encode() for rating in parts.ratings[: len(items)]]
        scores = [score + rating for score, rating in zip_longest(scores, rated, fillvalue=b"")]
    # Sums of bytes, because formatting them takes four times as long.
    rows = b'},{"item":"'.join([piece + _SCORE + score for piece, score in zip(pieces, scores, strict=False)])
    head = f'{{"stage":"personal","namespace":"{namespace}","version":"{parts.version}","time":{parts.time},'
    body = b'%b"items":[{"item":"%b}]}' % (head.encode(), rows)
    return Cut(items, body, parts.version, parts.time)
