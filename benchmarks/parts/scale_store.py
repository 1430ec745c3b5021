"""What users take in Redis and in a worker: one JSON line of bytes per user.

    python -m benchmarks.parts.scale_store USERS EVENTS ITEMS

An engine that knows all items observes a synthetic stream, and what a worker would write of its users is written to a
Redis of its own: all their states, lists of 100 and vectors of some. Memory is what Redis says that it uses, keys and
all, and what the process has resident.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from itertools import islice
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import orjson

from benchmarks.parts.engine_memory import resident_mb
from benchmarks.parts.engine_speed import REASONS, batches, decoded
from benchmarks.parts.zipf import Zipf
from contracts.events import Click
from contracts.learning import Lessons, Source
from contracts.redis import Keys, encode_vector
from infra.redis import LocalRedis, connect
from infra.settings import Model, Worker
from models.engine import Batch, Engine
from models.listing import ListEncoder
from serving.store.store import Store

_AT_ONCE = 512
_STEEPNESS = 0.9
_LISTED = 20_000  # users whose lists and vectors are written, at most
_PARTITION = 0
_SOURCE = "scale"
_TURN_MS = 600_000


class Measured:
    """An engine and a Redis that fill with users.

    Parameters
    ----------
    items : int
        Of the catalogue; all are known before the first user comes.
    users : int
        How many may be resident.
    client : redis.Redis
    """

    def __init__(self, items: int, users: int, client: Any) -> None:
        self._client, self._items, self._offset = client, items, 0
        self._engine = Engine(resident_users=users + items)
        self._store = Store(client, Keys(), Worker().list_s, Worker().state_s)
        self._epochs = self._store.raise_epochs([_PARTITION])
        stream = Zipf(items)
        first = [*stream.everything(), *islice(stream.clicks(), items)]
        for position, events in enumerate(batches(first, _AT_ONCE)):
            self._engine.learn(decoded(self._observe(events)), position)
        self._engine.users.changed()
        self.before_mb = resident_mb()

    def states(self, users: int, events: int) -> float:
        """Let users come, each with so many events, and write their states; return bytes per user in Redis."""
        used = self._used()
        for group in _groups(users, events, self._items):
            for batch in group:
                self._observe(batch)
            states = self._engine.users.changed().encoded()
            self._store.write_states([(_PARTITION, user, state) for user, state in states], [], self._epochs)
        return (self._used() - used) / users

    def lists(self, users: int) -> float:
        """Write the lists of the first users; return bytes per user in Redis."""
        used, encoder = self._used(), ListEncoder(self._engine.items.catalogue)
        head = b'{"version":"1753257600.1000000","time":1753257600000,"model":1000000,'
        for names in _names(users):
            slots = np.array([self._engine.users.slot(name) for name in names], np.int32)
            lists = self._engine.refresh(slots, Model().list_length, REASONS)
            bodies = zip(names, encoder.encode(lists), strict=True)
            made = [(_PARTITION, name, head + bytes(body)) for name, body in bodies]
            self._store.write_lists(made, {}, self._epochs)
        return (self._used() - used) / users

    def vectors(self, users: int) -> float:
        """Write the vectors of the first users; return bytes per user in Redis."""
        used = self._used()
        for names in _names(users):
            made = [(_PARTITION, name, encode_vector(vector)) for name, vector in self._engine.vectors(names)]
            self._store.write_states([], made, self._epochs)
        return (self._used() - used) / users

    def _observe(self, events: list[Click]) -> Lessons:
        users = self._engine.users
        for user in users.missing(str(event.user) for event in events):
            users.admit(user, None)
        offsets = range(self._offset, self._offset + len(events))
        self._offset += len(events)
        source = Source("clicks", _SOURCE, _PARTITION, offsets[0], offsets[-1])
        batch = Batch(events, [0] * len(events), offsets, [True] * len(events), [source])
        return self._engine.observe(batch).lessons

    def _used(self) -> int:
        used: int = self._client.info("memory")["used_memory"]
        return used


def measure(users: int, events: int, items: int) -> dict[str, Any]:
    """Return bytes per user by part."""
    began, listed = time.perf_counter(), min(users, _LISTED)
    with TemporaryDirectory() as folder, LocalRedis(folder) as server:
        measured = Measured(items, users, connect(server.url))
        state = measured.states(users, events)
        worker = (resident_mb() - measured.before_mb) * 1e6 / users
        parts = {"state": state, "list": measured.lists(listed), "vector": measured.vectors(listed)}
    return {
        "users": users,
        "events_of_each": events,
        "items": items,
        "redis": {name: round(value) for name, value in parts.items()},
        "worker": round(worker),
        "seconds": round(time.perf_counter() - began),
    }


def _groups(users: int, events: int, items: int) -> Iterator[list[list[Click]]]:
    """Yield groups of users as their events in turns, a batch each; ids have 8 characters."""
    rng = np.random.default_rng(0)
    shares = np.arange(1, items + 1, dtype=np.float64) ** -_STEEPNESS
    ladder = np.cumsum(shares / shares.sum())[:-1]
    for names in _names(users):
        drawn = np.searchsorted(ladder, rng.random((events, len(names)))).tolist()
        yield [
            [
                Click(user=name, item=f"item {item}", time=1_753_257_600_000 + turn * _TURN_MS)
                for name, item in zip(names, chosen, strict=True)
            ]
            for turn, chosen in enumerate(drawn)
        ]


def _names(users: int) -> Iterator[list[str]]:
    for first in range(0, users, _AT_ONCE):
        yield [f"{user:08d}" for user in range(first, min(first + _AT_ONCE, users))]


if __name__ == "__main__":
    print(orjson.dumps(measure(*map(int, sys.argv[1:4]))).decode())
