"""A user's stored form: a short byte string that says all that we know of him.

Little-endian: header (format, length of the history, bytes of a rating, number of attributes, events ever, last offsets
contained of clicks and ratings, number of seen items, hour of the newest event and events in it, which of the recent
events did not teach, generation), then the history oldest first as columns (item keys, times, identities, kinds,
ratings), hashes of his attributes, the keys of all seen items, and a checksum of it all. Ratings take no bytes where
there are none and two where these hold them exactly. Format 2 had no generation.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

FORMAT = 3

_HEADER = struct.Struct("<BBBBIqqI")
_QUOTA = struct.Struct("<IIQ")
_GENERATION = struct.Struct("<q")
_CHECKSUM = struct.Struct("<I")
_MOST = 2**32 - 1


class CorruptState(ValueError):
    """Bytes that are not a user state: damaged, or of a newer format."""


@dataclass(slots=True)
class UserState:
    """What we know of a user.

    Attributes
    ----------
    events : int
        Events ever.
    offsets : tuple of int
        Last offset contained of his own partition of clicks and of ratings, -1 = none.
    quota : tuple of int
        The hour of his newest event, counted from 1970, and his events in it.
    silenced : int
        Bit i: the event ``events - 1 - k`` with ``i = (events - 1 - k) % HISTORY`` did not teach.
    keys, times, identities, kinds, values : ndarray, shape (n,)
        His recent events, oldest first: item key, event time in ms, identity, position in ``contracts.events.TYPES``,
        rating (NaN = none).
    attributes : ndarray of uint32
        Hashes of his attributes.
    seen : ndarray of uint64
        Keys of all items that he has had.
    generation : int
        That of the mark of a person who was forgotten and has come back since, 0 = never: a state of an earlier one is
        void.
    """

    events: int
    offsets: tuple[int, int]
    quota: tuple[int, int]
    silenced: int
    keys: NDArray[np.uint64]
    times: NDArray[np.int64]
    identities: NDArray[np.uint64]
    kinds: NDArray[np.uint8]
    values: NDArray[np.float32]
    attributes: NDArray[np.uint32]
    seen: NDArray[np.uint64]
    generation: int = 0


def encode_state(state: UserState) -> bytes:
    """Return the stored form."""
    values = _compact(state.values)
    body = b"".join(
        (
            _HEADER.pack(
                FORMAT,
                len(state.keys),
                values.itemsize if len(values) else 0,
                len(state.attributes),
                state.events,
                *state.offsets,
                len(state.seen),
            ),
            _QUOTA.pack(*(min(value, _MOST) for value in state.quota), state.silenced),
            _GENERATION.pack(state.generation),
            state.keys.astype("<u8", copy=False).tobytes(),
            state.times.astype("<i8", copy=False).tobytes(),
            state.identities.astype("<u8", copy=False).tobytes(),
            state.kinds.tobytes(),
            values.tobytes(),
            state.attributes.astype("<u4", copy=False).tobytes(),
            state.seen.astype("<u8", copy=False).tobytes(),
        )
    )
    return body + _CHECKSUM.pack(xxhash.xxh32_intdigest(body))


def decode_state(value: bytes) -> UserState:
    """Decode :func:`encode_state`'s bytes.

    Raises
    ------
    CorruptState
        When the bytes are damaged, or of a newer format.
    """
    if len(value) < _HEADER.size + _CHECKSUM.size:
        raise CorruptState(f"a user state of {len(value)} bytes")
    format_, n, width, n_attributes, events, clicks, ratings, n_seen = _HEADER.unpack_from(value)
    if format_ not in (2, FORMAT):
        raise CorruptState(f"a user state of format {format_}, this version reads {FORMAT}")
    body, checksum = value[: -_CHECKSUM.size], _CHECKSUM.unpack(value[-_CHECKSUM.size :])[0]
    at = _HEADER.size + _QUOTA.size + (_GENERATION.size if format_ == FORMAT else 0)
    if len(body) != at + n * (25 + width) + 4 * n_attributes + 8 * n_seen or xxhash.xxh32_intdigest(body) != checksum:
        raise CorruptState("a user state whose checksum does not fit")
    columns: list[Any] = []
    hour, count, silenced = _QUOTA.unpack_from(value, _HEADER.size)
    (generation,) = _GENERATION.unpack_from(value, _HEADER.size + _QUOTA.size) if format_ == FORMAT else (0,)
    rated = (f"<f{width or 2}", n if width else 0)
    rest = (("<u4", n_attributes), ("<u8", n_seen))
    for dtype, length in (("<u8", n), ("<i8", n), ("<u8", n), ("<u1", n), rated, *rest):
        columns.append(np.frombuffer(body, dtype, length, at))
        at += columns[-1].nbytes
    columns[4] = columns[4].astype(np.float32) if width else np.full(n, np.nan, np.float32)
    keys, times, identities, kinds, values, attributes, seen = columns
    return UserState(
        events, (clicks, ratings), (hour, count), silenced,
        keys, times, identities, kinds, values, attributes, seen, generation,
    )  # fmt: skip


def _compact(values: NDArray[np.float32]) -> NDArray[np.floating]:
    """Return ratings in as few bytes as hold them exactly, none where all are NaN."""
    if np.isnan(values).all():
        return values[:0]
    with np.errstate(over="ignore"):
        half = values.astype("<f2")
    return half if np.array_equal(half, values, equal_nan=True) else values.astype("<f4", copy=False)
