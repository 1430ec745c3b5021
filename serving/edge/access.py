"""Who may use the service: API keys, of which only a digest is kept.

A key is 256 random bits, so its SHA-256 cannot be searched for and needs no salt and no slow hash.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

Role = Literal["open", "read", "write", "admin"]
"""What a caller must be allowed to do; ``open`` = nothing."""
ROLES: tuple[Role, ...] = get_args(Role)
PREFIX = "hr_"  # so that a key is known for one where it does not belong
_BYTES = 32


@dataclass(frozen=True, slots=True)
class Caller:
    """Whose key a request carries.

    Attributes
    ----------
    name : str
        For logs and limits; never the key.
    roles : frozenset of str
        What he may do; ``admin`` = everything.
    """

    name: str
    roles: frozenset[str]

    def may(self, role: Role) -> bool:
        """Return whether he may use a route of this role."""
        return role == "open" or role in self.roles or "admin" in self.roles


ANYBODY = Caller("", frozenset({"admin"}))
"""Every caller of a service without keys: it listens to this machine only."""
NOBODY = Caller("", frozenset())
"""A caller without a key."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as settings hold it: ``digest`` is the SHA-256 of the key, 64 hexadecimal digits."""

    name: str
    roles: frozenset[str]
    digest: str


class Keyring:
    """The keys that are known.

    Parameters
    ----------
    keys : sequence of ApiKey
        None at all = everybody may do everything.
    """

    def __init__(self, keys: Sequence[ApiKey] = ()) -> None:
        self._known = [(key.digest.lower().encode(), Caller(key.name, key.roles)) for key in keys]

    def __bool__(self) -> bool:
        return bool(self._known)

    def caller(self, key: bytes | None) -> Caller | None:
        """Return whose key it is; ``None`` where nobody's.

        It takes the same time for every key of a length: a key's digest is compared with all.
        """
        if not self._known:
            return ANYBODY
        if key is None:
            return NOBODY
        digest = hashlib.sha256(key).hexdigest().encode()
        found = None
        for known, caller in self._known:
            if hmac.compare_digest(known, digest):
                found = caller
        return found


def new_key() -> tuple[str, str]:
    """Return a new key and its digest."""
    key = PREFIX + secrets.token_urlsafe(_BYTES)
    return key, hashlib.sha256(key.encode()).hexdigest()


def listens_to_others(host: str) -> bool:
    """Return whether an address to listen on can be reached from other machines.

    Parameters
    ----------
    host : str
        An address, or a name; one that cannot be resolved counts as reachable.
    """
    try:
        found = socket.getaddrinfo(host or "0.0.0.0", None, type=socket.SOCK_STREAM)
    except OSError:
        return True
    return not all(ipaddress.ip_address(str(address[0]).partition("%")[0]).is_loopback for *_, address in found)
