"""Users under pseudonyms: what is stored names nobody, and the same user always has the same name. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Callable

Naming = Callable[[str], str]
"""User, as callers know him → as Kafka and Redis do. Every route that takes a user passes him through it once."""
_BYTES = 16


def as_given(user: str) -> str:
    """Return the user as he is given."""
    return user


def pseudonyms(secret: str) -> Naming:
    """Return the naming that gives each user a keyed hash: BLAKE2b, 128 bits, as hexadecimal digits.

    Parameters
    ----------
    secret : str
        Whoever has it can find a user's pseudonym; whoever changes it makes all users new ones.

    Examples
    --------
    >>> pseudonyms("a secret of many letters")("ann") == pseudonyms("a secret of many letters")("ann")
    True
    """
    key = hashlib.sha256(secret.encode()).digest()

    def naming(user: str) -> str:
        return hashlib.blake2b(user.encode(errors="surrogatepass"), key=key, digest_size=_BYTES).hexdigest()

    return naming
