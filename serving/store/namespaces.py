"""Namespaces in the store: which one readers use, which there are, and how one goes.

Only names and small values are read here, whole or by SCAN in steps that do not keep Redis from its readers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import unquote

import orjson

from contracts.redis import Keys
from serving.store.scatter import is_cluster

_STEP = 500  # keys looked at or unlinked in one command

# KEYS: active. ARGV: what stands there, empty for nothing; what shall.
_SWITCH = """\
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""


@dataclass(slots=True)
class Found:
    """What the store holds of a namespace.

    Attributes
    ----------
    name : str
    states, lists : int
        Users of whom something is known, and users with a list.
    keys : int
        All keys.
    workers : dict of str to dict
        What its workers say of themselves, those that have fallen silent included.
    written : int or None
        When its list of popular items was made, ms since the epoch.
    mark : bytes or None
        What a replay into it says, see ``streams.replaying``.
    """

    name: str
    states: int = 0
    lists: int = 0
    keys: int = 0
    workers: dict[str, dict[str, Any]] = field(default_factory=dict)
    written: int | None = None
    mark: bytes | None = None


class Namespaces:
    """The namespaces of one prefix.

    Parameters
    ----------
    client : redis.Redis
        A client with binary answers.
    prefix : str
        First part of every key.
    default : str
        The one that readers use while ``PREFIX:active`` names none.
    """

    def __init__(self, client: Any, prefix: str, default: str = "main") -> None:
        self._client, self._prefix, self._default = client, prefix, default
        self._keys = Keys(default, prefix)

    def active(self) -> str:
        """Return the namespace that readers use."""
        return _text(self._client.get(self._keys.active)) or self._default

    def previous(self) -> str | None:
        """Return the namespace that readers used before, None where there was none."""
        return _text(self._client.get(self._keys.previous))

    def activate(self, name: str) -> str:
        """Let readers use a namespace, in one step; return which they used before.

        The one before is remembered in the same transaction: going back is as simple. On a Cluster it is remembered
        first, and who is interrupted there has remembered the active one. Naming the active one again changes nothing.
        """
        if is_cluster(self._client):
            return self._activate_clustered(name)

        def switch(pipeline: Any) -> str:
            before = _text(pipeline.get(self._keys.active)) or self._default
            pipeline.multi()
            if before != name:
                pipeline.set(self._keys.previous, before)
                pipeline.set(self._keys.active, name)
            return before

        before: str = self._client.transaction(switch, self._keys.active, value_from_callable=True)
        return before

    def _activate_clustered(self, name: str) -> str:
        while True:
            stored = self._client.get(self._keys.active)
            before = _text(stored) or self._default
            if before == name:
                return before
            self._client.set(self._keys.previous, before)
            if self._client.eval(_SWITCH, 1, self._keys.active, stored or b"", name):
                return before

    def forget_previous(self) -> None:
        """Forget which namespace readers used before."""
        self._client.delete(self._keys.previous)

    def mark(self, name: str) -> bytes | None:
        """Return what a replay into a namespace says of itself."""
        value: bytes | None = self._client.get(Keys(name, self._prefix).replay)
        return value

    def set_mark(self, name: str, value: bytes) -> None:
        """Say how far a replay into a namespace has come."""
        self._client.set(Keys(name, self._prefix).replay, value)

    def workers(self, name: str) -> dict[str, dict[str, Any]]:
        """Return what the workers of a namespace say of themselves, those that have fallen silent included."""
        found = self._client.hgetall(Keys(name, self._prefix).workers)
        return {worker.decode(): orjson.loads(value) for worker, value in found.items()}

    def live_workers(self, name: str, now: int, silence_ms: int) -> list[str]:
        """Return the workers of a namespace that have spoken within ``silence_ms`` before ``now``."""
        return sorted(worker for worker, said in self.workers(name).items() if now - said["time"] <= silence_ms)

    def find(self) -> list[Found]:
        """Return all namespaces that have keys, by name; walks all keys of Redis."""
        counts: dict[str, Counter[str]] = {}
        for key in self._scan(f"{self._prefix}:*"):
            name, _, rest = key.decode(errors="replace").removeprefix(f"{self._prefix}:").partition(":")
            if rest:
                counts.setdefault(name, Counter())[rest.partition(":")[0]] += 1
        return [self._found(name, of) for name, of in sorted(counts.items())]

    def has_states(self, name: str) -> bool:
        """Return whether anything is known of any user; walks all keys of Redis where there is nothing."""
        return next(self._scan(f"{self._prefix}:{name}:state:*"), None) is not None

    def has_lists(self, name: str) -> bool:
        """Return whether there is a list for those who have none of their own."""
        return bool(self._client.exists(Keys(name, self._prefix).shared("popular")))

    def users(self, name: str) -> list[str]:
        """Return the users of whom something is known, sorted; walks all keys of Redis."""
        head = f"{self._prefix}:{name}:state:"
        keys = set(self._scan(f"{head}*"))
        found = (key.decode().removeprefix(head).partition(":")[2] for key in keys)
        return sorted(unquote(user, errors="surrogatepass") for user in found)

    def delete(self, name: str) -> Iterator[int]:
        """Remove all keys of a namespace in small steps; yields how many were removed in each."""
        batch: list[bytes] = []
        for key in self._scan(f"{self._prefix}:{name}:*"):
            batch.append(key)
            if len(batch) >= _STEP:
                yield int(self._client.unlink(*batch))  # the memory is given back in a thread of its own
                batch = []
        if batch:
            yield int(self._client.unlink(*batch))

    def _found(self, name: str, counts: Counter[str]) -> Found:
        keys = Keys(name, self._prefix)
        popular = self._client.get(keys.shared("popular"))
        return Found(
            name=name,
            states=counts["state"],
            lists=counts["top"],
            keys=counts.total(),
            workers=self.workers(name),
            written=orjson.loads(popular)["time"] if popular else None,
            mark=self.mark(name),
        )

    def _scan(self, pattern: str) -> Iterator[bytes]:
        keys: Iterator[bytes] = self._client.scan_iter(match=pattern, count=_STEP)
        return keys


def _text(value: bytes | None) -> str | None:
    return value.decode(errors="replace") if value else None
