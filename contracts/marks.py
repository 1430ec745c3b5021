"""Marks of forgotten people: the record that keeps them forgotten when old events are read again.

A mark names nobody: its key is a keyed hash of the user's id. The secret of the hash, the salt, stands in the same
topic, under a key that holds it; the first one counts, so programs that start at the same time agree, and compaction,
which keeps the last record of each key, keeps all of them in their order.
"""

from __future__ import annotations

from hashlib import blake2b

import msgspec

FORMAT = 1
_SALT, _PERSON = b"salt ", b"person "
_HASH_BYTES = 16


class Wish(msgspec.Struct, array_like=True, frozen=True):
    """The message that asked to forget somebody."""

    topic: str
    topic_id: str
    partition: int
    offset: int


class End(msgspec.Struct, array_like=True, frozen=True):
    """Where a user's partition of a topic ended when he was forgotten."""

    topic_id: str
    offset: int  # of the next message: those below are skipped


class Mark(msgspec.Struct, frozen=True):
    """A person who was forgotten, and up to where.

    Parameters
    ----------
    generation : int
        Grows with each mark of the same person; at least the time stamp of the wish, ms since the epoch.
    time : int
        When the ends were taken, ms since the epoch: decides where offsets cannot be compared.
    partition : int
        The user's own, of all topics keyed by user.
    ends : dict of str to End
        Full topic name → where it ended.
    wish : Wish
    """

    generation: int
    time: int
    partition: int
    ends: dict[str, End]
    wish: Wish
    format: int = FORMAT


_decoder = msgspec.json.Decoder(Mark)
_encoder = msgspec.json.Encoder()


def person(user: str, salt: bytes) -> bytes:
    """Return the key of a user's mark."""
    return (
        _PERSON + blake2b(user.encode("utf-8", "surrogatepass"), key=salt, digest_size=_HASH_BYTES).hexdigest().encode()
    )


def salt_key(salt: bytes) -> bytes:
    """Return the key of the record that holds a salt of at most 64 bytes."""
    return _SALT + salt.hex().encode()


def salt_of(key: bytes) -> bytes | None:
    """Return the salt that a key holds, None for that of a mark."""
    return bytes.fromhex(key.removeprefix(_SALT).decode()) if key.startswith(_SALT) else None


def encode_mark(mark: Mark) -> bytes:
    """Encode a mark as JSON."""
    return _encoder.encode(mark)


def decode_mark(value: bytes) -> Mark:
    """Decode :func:`encode_mark`'s bytes.

    Raises
    ------
    ValueError
        When the bytes are no mark, or one of a newer format: whoever went on without it might remember somebody.
    """
    try:
        mark = _decoder.decode(value)
    except msgspec.MsgspecError as error:
        raise ValueError(f"not a mark of a forgotten person: {error}") from error
    if mark.format > FORMAT:
        raise ValueError(f"a mark of format {mark.format}, this version reads {FORMAT}: upgrade Headrace")
    return mark
