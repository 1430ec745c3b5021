"""What Redis holds of users, over all namespaces: for whoever forgets them, or gives them their data."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote

from contracts.redis import Keys
from serving.store.scatter import values

# SCAN walks all keys: a larger step means fewer round trips, and this one still blocks Redis for less than 1 ms.
_STEP = 1000
_AT_ONCE = 500


class Holding(NamedTuple):
    """What a namespace holds of one user, as it stands in Redis; None where there is nothing."""

    state: bytes | None
    own_list: bytes | None
    vector: bytes | None


class Holdings:
    """Reads what workers keep of users.

    Parameters
    ----------
    client : redis.Redis
        A client with binary answers.
    prefix : str
        First part of every key.
    """

    def __init__(self, client: Any, prefix: str) -> None:
        self._client, self._prefix = client, prefix

    def namespaces(self) -> list[str]:
        """Return the namespaces that workers have written to, sorted; walks all keys."""
        head, found = f"{self._prefix}:", set()
        for name in ("epoch", "applied"):
            for key in self._client.scan_iter(f"{head}*:{name}:{{*}}", count=_STEP):
                found.add(key.decode().removeprefix(head).split(":")[0])
        return sorted(found)

    def of(self, namespace: str, partition: int, user: str) -> Holding:
        """Return what a namespace holds of a user whose own partition this is."""
        keys = Keys(namespace, self._prefix)
        held = (keys.state(partition, user), keys.top(user), keys.user_vector(user))
        return Holding(*values(self._client, held))

    def users(self, namespace: str) -> list[tuple[str, int]]:
        """Return (user, partition) of all who have a state, sorted; walks all keys."""
        head, found = f"{self._prefix}:{namespace}:state:{{", set()
        for key in self._client.scan_iter(f"{head}*", count=_STEP):
            partition, _, user = key.decode().removeprefix(head).partition("}:")
            found.add((unquote(user, errors="surrogatepass"), int(partition)))
        return sorted(found)

    def states(self, namespace: str) -> Iterator[tuple[str, bytes]]:
        """Yield (user, state) of all who have one, in the order of their ids."""
        keys, users = Keys(namespace, self._prefix), self.users(namespace)
        for start in range(0, len(users), _AT_ONCE):
            part = users[start : start + _AT_ONCE]
            found = values(self._client, [keys.state(partition, user) for user, partition in part])
            yield from ((user, value) for (user, _), value in zip(part, found, strict=True) if value is not None)
