"""What the worker writes to Redis and reads back: the only place with Redis commands on the event path.

Values are whole strings, so a reader never sees half a list. Calls block; the worker makes them in threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
import redis

from contracts.redis import SHARED, Keys

# Long pipelines save round trips; much longer ones only delay the first answer.
_PIPELINE = 500

Offsets = Mapping[tuple[str, int], int]
"""(topic, partition) → offset of the next message."""


class Store:
    """The I/O of the Redis contract.

    Parameters
    ----------
    client : redis.Redis
        A client with binary answers.
    keys : Keys
        Names the namespace.
    list_ttl_s : int
        After so many seconds a list that nobody refreshed is gone.
    """

    def __init__(self, client: redis.Redis, keys: Keys, list_ttl_s: int) -> None:
        self._client: Any = client  # redis-py declares every answer as sync or async
        self._keys = keys
        self._list_ttl_s = list_ttl_s

    def load_states(self, users: Sequence[tuple[int, str]]) -> list[bytes | None]:
        """Return the stored states of users, given as (home partition, user); None where there is none."""
        places: dict[int, list[int]] = {}
        for place, (partition, _) in enumerate(users):
            places.setdefault(partition, []).append(place)
        # One MGET per partition, because a partition is one hash slot; all in one round trip.
        pipeline = self._client.pipeline(transaction=False)
        for partition, own in places.items():
            pipeline.mget([self._keys.state(partition, users[place][1]) for place in own])
        loaded: list[bytes | None] = [None] * len(users)
        for own, values in zip(places.values(), pipeline.execute(), strict=True):
            for place, value in zip(own, values, strict=True):
                loaded[place] = value
        return loaded

    def write_lists(self, lists: Sequence[tuple[str, bytes]], watermarks: Offsets) -> None:
        """Write users' lists, then how far the input has come: a reader who sees the watermark sees the lists."""
        pipeline = self._client.pipeline(transaction=False)
        for user, value in lists:
            pipeline.execute_command("SET", self._keys.top(user), value, "EX", self._list_ttl_s)
        for (topic, partition), offset in watermarks.items():
            pipeline.hset(self._keys.watermark(partition), topic, str(offset))
        pipeline.execute()

    def write_states(self, states: Sequence[tuple[int, str, bytes]], vectors: Iterable[tuple[str, bytes]]) -> None:
        """Write users' states, given as (home partition, user, state), and their published vectors."""
        values = [(self._keys.state(partition, user), state) for partition, user, state in states]
        self._set(values)
        self._set([(self._keys.user_vector(user), vector) for user, vector in vectors])

    def write_applied(self, offsets: Offsets) -> None:
        """Say which input the stored states contain; only after the states themselves."""
        pipeline = self._client.pipeline(transaction=False)
        for (topic, partition), offset in offsets.items():
            pipeline.hset(self._keys.applied(partition), topic, str(offset))
        pipeline.execute()

    def applied(self, partitions: Iterable[int]) -> dict[tuple[str, int], int]:
        """Return which input the stored states contain: (topic, partition) → next offset."""
        return {
            (topic.decode(), partition): int(offset)
            for partition in partitions
            for topic, offset in self._client.hgetall(self._keys.applied(partition)).items()
        }

    def raise_epoch(self, partition: int) -> int:
        """Become the owner of a partition: return its new epoch."""
        return int(self._client.incr(self._keys.epoch(partition)))

    def write_shared(self, lists: Sequence[tuple[str, str | None, bytes]], gone: Sequence[str]) -> None:
        """Write lists for everybody, given as (name, category, value), and remove those of categories that are gone."""
        keys = self._keys
        listed = {category for _, category, _ in lists if category is not None}
        if listed:
            # First, so that no list is ever in the store that nobody would remove.
            self._client.sadd(keys.categories, *listed)
        self._set([(keys.shared(name, category), value) for name, category, value in lists])
        for category in gone:
            self._client.delete(*(keys.shared(name, category) for name in SHARED))
            self._client.srem(keys.categories, category)

    def categories(self) -> list[str]:
        """Return the categories that have lists of their own."""
        return [name.decode(errors="surrogatepass") for name in self._client.smembers(self._keys.categories)]

    def write_items(
        self, similar: Iterable[tuple[str, bytes]], vectors: Iterable[tuple[str, bytes]], gone: Iterable[str] = ()
    ) -> None:
        """Write items' neighbours and published vectors, and remove those of items that have left the model."""
        for item in gone:
            self._client.delete(self._keys.similar(item))
            self._client.delete(self._keys.item_vector(item))
        self._set([(self._keys.similar(item), value) for item, value in similar])
        self._set([(self._keys.item_vector(item), value) for item, value in vectors])

    def write_metadata(self, items: Sequence[tuple[str, bytes, bool]]) -> None:
        """Write what pages show of items, given as (item, value, withheld), and which must not be shown."""
        self._set([(self._keys.item(item), value) for item, value, _ in items])
        pipeline = self._client.pipeline(transaction=False)
        for item, _, withheld in items:
            (pipeline.sadd if withheld else pipeline.srem)(self._keys.withheld, item)
        pipeline.execute()

    def withhold(self, items: Sequence[str]) -> None:
        """Add items to those that must not be shown."""
        if items:
            self._client.sadd(self._keys.withheld, *items)

    def write_status(self, worker: str, value: bytes) -> None:
        """Write what a worker says of itself; how old it is tells whether the worker still lives."""
        self._client.hset(self._keys.workers, worker, value)

    def worker_reports(self) -> dict[str, dict[str, Any]]:
        """Return what workers say of themselves, by their names."""
        found = self._client.hgetall(self._keys.workers).items()
        return {worker.decode(): orjson.loads(value) for worker, value in found}

    def forget_workers(self, before_ms: int) -> None:
        """Remove what workers said of themselves before a time, ms since the epoch."""
        for worker, value in self._client.hgetall(self._keys.workers).items():
            if orjson.loads(value)["time"] < before_ms:
                self._client.hdel(self._keys.workers, worker)

    def _set(self, values: Sequence[tuple[str, bytes]]) -> None:
        for start in range(0, len(values), _PIPELINE):
            pipeline = self._client.pipeline(transaction=False)
            for key, value in values[start : start + _PIPELINE]:
                pipeline.execute_command("SET", key, value)
            pipeline.execute()
