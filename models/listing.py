"""Top-N lists as JSON, many at a time: the form in which they stand in Redis.

Writing a list of 100 items through Python objects costs more than making it. Here ids are quoted once, when an item
becomes known, and one kernel copies them together. The values are those of :func:`contracts.redis.encode_list`, with
scores to three decimals.
"""

from __future__ import annotations

import numpy as np
import orjson
from numpy.typing import NDArray

from models.catalogue import Catalogue
from models.combine import SCORERS
from models.kernel import grown, inline, kernel
from models.ranking import Lists
from models.selection import NONE

_DECIMALS = 1000
_MAX_SCORE = 1e12  # so that a score fits into the digits written; no blend comes near
_SCORE_BYTES = 20


def _pool(texts: list[str]) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    quoted = [orjson.dumps(text) for text in texts]
    ends = np.cumsum([0, *map(len, quoted)])
    return np.frombuffer(b"".join(quoted), np.uint8), ends


_SCORER_BYTES, _SCORER_ENDS = _pool(list(SCORERS))


class ListEncoder:
    """Writes lists over the items of a catalogue.

    Parameters
    ----------
    catalogue : Catalogue
        Its ids are quoted as they come.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._bytes = np.zeros(65_536, np.uint8)
        self._bounds = np.zeros((1024, 2), np.int64)  # row r is bytes[bounds[r, 0]:bounds[r, 1]]
        self._end = 0
        self._serial = 0

    def encode(self, lists: Lists) -> list[bytes]:
        """Return ``"items":[…],"scores":[…],"reasons":[…]`` of each list, without the braces around."""
        self._quote_new()
        widest = int((self._bounds[:, 1] - self._bounds[:, 0]).max(initial=0)) + 1
        b, n = lists.rows.shape
        reasons, grounds = lists.grounds.shape[1:]
        room = 64 + n * (widest + _SCORE_BYTES) + reasons * (4 + int(_SCORER_ENDS[-1]) + grounds * widest)
        out = np.empty((b, room), np.uint8)
        lengths = np.zeros(b, np.int64)
        _write(
            lists.rows, lists.scores, lists.scorers, lists.grounds,
            self._bytes, self._bounds, _SCORER_BYTES, _SCORER_ENDS, out, lengths,
        )  # fmt: skip
        return [row[:length].tobytes() for row, length in zip(out, lengths.tolist(), strict=True)]

    def _quote_new(self) -> None:
        catalogue = self._catalogue
        if self._serial == catalogue.serial:
            return
        if len(catalogue) > len(self._bounds):
            self._bounds = grown(self._bounds, catalogue.capacity)
        rows = catalogue.assigned_since(self._serial)
        added, ends = _pool([catalogue.ids[row] for row in rows.tolist()])
        self._bounds[rows] = 0
        live = int((self._bounds[:, 1] - self._bounds[:, 0]).sum())
        if self._end + len(added) > len(self._bytes) and live < self._end // 2 and self._serial > 0:
            # Mostly the ids of items that have left: all that are there are quoted anew.
            self._serial = self._end = 0
            self._quote_new()
            return
        if self._end + len(added) > len(self._bytes):
            self._bytes = grown(self._bytes, 2 * (self._end + len(added)))
        self._bytes[self._end : self._end + len(added)] = added
        self._bounds[rows, 0], self._bounds[rows, 1] = self._end + ends[:-1], self._end + ends[1:]
        self._end += len(added)
        self._serial = catalogue.serial


@inline
def _copy(source, start, end, out, at):
    for position in range(start, end):
        out[at] = source[position]
        at += 1
    return at


@inline
def _text(text, out, at):
    for character in text:
        out[at] = character
        at += 1
    return at


@inline
def _score(score, out, at):
    value = np.int64(np.rint(min(max(score, -_MAX_SCORE), _MAX_SCORE) * _DECIMALS))
    if value < 0:
        out[at] = 45  # -
        at += 1
        value = -value
    whole = value // _DECIMALS
    digits = 1
    while whole >= 10**digits:
        digits += 1
    for digit in range(digits):
        out[at + digits - 1 - digit] = 48 + whole % 10
        whole //= 10
    at += digits
    rest = value % _DECIMALS
    out[at] = 46  # .
    out[at + 1] = 48 + rest // 100
    out[at + 2] = 48 + rest // 10 % 10
    out[at + 3] = 48 + rest % 10
    return at + 4


_ITEMS = tuple(b'"items":[')
_SCORES = tuple(b'],"scores":[')
_REASONS = tuple(b'],"reasons":[')
_COMMA, _OPEN, _CLOSE = 44, 91, 93


@kernel
def _write(rows, scores, scorers, grounds, ids, bounds, names, name_ends, out, lengths):
    for b in range(len(rows)):
        line = out[b]
        n = 0
        while n < rows.shape[1] and rows[b, n] != NONE:
            n += 1
        at = _text(_ITEMS, line, 0)
        for k in range(n):
            at = _copy(ids, bounds[rows[b, k], 0], bounds[rows[b, k], 1], line, at)
            line[at] = _COMMA
            at += 1
        at = _text(_SCORES, line, at - (n > 0))
        for k in range(n):
            at = _score(scores[b, k], line, at)
            line[at] = _COMMA
            at += 1
        at = _text(_REASONS, line, at - (n > 0))
        reasons = min(n, scorers.shape[1])
        for k in range(reasons):
            line[at] = _OPEN
            at = _copy(names, name_ends[scorers[b, k]], name_ends[scorers[b, k] + 1], line, at + 1)
            for g in range(grounds.shape[2]):
                row = grounds[b, k, g]
                if row != NONE:
                    line[at] = _COMMA
                    at = _copy(ids, bounds[row, 0], bounds[row, 1], line, at + 1)
            line[at] = _CLOSE
            line[at + 1] = _COMMA
            at += 2
        at -= reasons > 0
        line[at] = _CLOSE
        lengths[b] = at + 1
