"""What the worker writes to Redis and reads back: the only place with Redis commands on the event path.

Values are whole strings, so a reader never sees half a list. Everything that belongs to a partition is written through
the fence (:mod:`serving.store.fence`); what belongs to nobody (lists for everybody, items) is written by the owner of
partition :data:`STEWARD`. Calls block; the worker makes them in threads.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson
import redis
from redis.exceptions import RedisClusterException

from contracts.events import item_key
from contracts.redis import BEATS, SHARED, Keys, name_field
from serving.store.cluster_fence import ClusterFence
from serving.store.fence import Command, Epochs, Fence, Step
from serving.store.postings import SEARCH_TERMS, Page, Postings
from serving.store.scatter import Routed, is_cluster, together

STEWARD = 0
"""The partition whose owner writes what belongs to nobody."""

# Members of a set changed by one command, at most: a script takes no more than some thousand words.
_MEMBERS = 1000

Offsets = Mapping[tuple[str, int], int]
"""(topic, partition) → offset of the next message."""


class Store:
    """The I/O of the Redis contract.

    Writes that belong to a partition return the partitions where they were refused, because these have another owner.

    Parameters
    ----------
    client : redis.Redis or redis.cluster.RedisCluster
        A client with binary answers.
    keys : Keys
        Names the namespace.
    list_s, state_s : int
        Seconds for which users' lists and vectors live, and their states; 0 = for ever. Every write counts anew.
    search_terms : int
        By so many terms of its content an item is found, at most.
    """

    def __init__(
        self, client: redis.Redis, keys: Keys, list_s: int, state_s: int = 0, search_terms: int = SEARCH_TERMS
    ) -> None:
        self._client: Any = client  # redis-py declares every answer as sync or async
        self._keys = keys
        self._list_s, self._state_s = list_s, state_s
        self._fence = ClusterFence(self._client, keys) if is_cluster(client) else Fence(client, keys)
        self._postings = Postings(client, keys, search_terms)

    # Owning.

    def raise_epochs(self, partitions: Iterable[int]) -> dict[int, int]:
        """Become the owner of partitions: return their new epochs."""
        return self._fence.raise_epochs(partitions)

    def holds(self, partition: int, epoch: int) -> bool:
        """Return whether an epoch is still the present one of a partition."""
        return self._fence.holds(partition, epoch)

    def run_id(self) -> str:
        """Return what identifies the running server, or the masters of a Cluster: another after each restart."""
        return self._fence.run_id()

    def remember_partitions(self, partitions: int) -> int:
        """Return how many partitions the namespace was made for; this many if it is new."""
        self._client.set(self._keys.partitions, partitions, nx=True)
        return int(self._client.get(self._keys.partitions))

    # Users.

    def load_states(self, users: Sequence[tuple[int, str]]) -> list[bytes | None]:
        """Return the stored states of users, given as (home partition, user); None where there is none."""
        places: dict[int, list[int]] = {}
        for place, (partition, _) in enumerate(users):
            places.setdefault(partition, []).append(place)
        # One MGET per partition, because a partition is one hash slot; all in one round trip.
        keys = [[self._keys.state(partition, users[place][1]) for place in own] for partition, own in places.items()]
        found = together(self._client, [(own[0], ("MGET", *own)) for own in keys])
        loaded: list[bytes | None] = [None] * len(users)
        for own, values in zip(places.values(), found, strict=True):
            for place, value in zip(own, values, strict=True):
                loaded[place] = value
        return loaded

    def write_lists(
        self,
        lists: Sequence[tuple[int, str, bytes]],
        watermarks: Offsets,
        epochs: Epochs,
        gone: Sequence[tuple[int, str]] = (),
    ) -> frozenset[int]:
        """Write users' lists, given as (home partition, user, list), then how far the input has come.

        A reader who sees the watermark sees the lists. Before, the lists of who is ``gone`` are removed.
        """
        refused = self._remove([(partition, self._keys.top(user)) for partition, user in gone], epochs)
        values: dict[int, list[tuple[str, bytes]]] = {}
        for partition, user, value in lists:
            values.setdefault(partition, []).append((self._keys.top(user), value))
        marks: dict[int, list[tuple[str, int]]] = {}
        for (topic, partition), offset in watermarks.items():
            marks.setdefault(partition, []).append((topic, offset))
        return refused | self._fence.replace(values, marks, epochs, self._list_s)

    def freshen_lists(self, lists: Iterable[tuple[int, str, bytes, int]], epochs: Epochs) -> frozenset[int]:
        """Write lists of users who do nothing, given as (home partition, user, list, seconds that it still lives)."""
        commands: dict[int, list[Command]] = {}
        for partition, user, value, live_s in lists:
            commands.setdefault(partition, []).append(("SET", self._keys.top(user), value, "EX", live_s))
        return self._fence.write([commands], epochs)

    def write_states(
        self,
        states: Sequence[tuple[int, str, bytes]],
        vectors: Iterable[tuple[int, str, bytes]],
        epochs: Epochs,
        erased: Sequence[tuple[int, str]] = (),
    ) -> frozenset[int]:
        """Write users' states and published vectors, both given as (home partition, user, value).

        Before, those of who was ``erased`` are removed.
        """
        keys = self._keys
        refused = self._remove(
            [(home, key) for home, user in erased for key in (keys.state(home, user), keys.user_vector(user))], epochs
        )
        values: dict[int, list[tuple[str, bytes]]] = {}
        for partition, user, state in states:
            values.setdefault(partition, []).append((keys.state(partition, user), state))
        published: dict[int, list[tuple[str, bytes]]] = {}
        for partition, user, vector in vectors:
            published.setdefault(partition, []).append((keys.user_vector(user), vector))
        refused |= self._fence.replace(values, {}, epochs, self._state_s)
        return refused | self._fence.replace(published, {}, epochs, self._list_s)

    def _remove(self, keys: Iterable[tuple[int, str]], epochs: Epochs) -> frozenset[int]:
        commands: dict[int, list[Command]] = {}
        for partition, key in keys:
            commands.setdefault(partition, []).append(("DEL", key))
        return self._fence.write([commands], epochs) if commands else frozenset()

    def write_applied(
        self, offsets: Offsets, before: Offsets, epochs: Epochs, run_ids: Mapping[int, str]
    ) -> frozenset[int]:
        """Say which input the stored states contain; only after the states themselves.

        Parameters
        ----------
        offsets : mapping
            What they contain now.
        before : mapping
            What :meth:`applied` returned, or the last call wrote.
        epochs : mapping
        run_ids : mapping
            Partition → what :meth:`run_id` returned before its ``before`` was read.

        Raises
        ------
        WentBack
            When the server was restarted, restored or emptied since.
        """
        steps: dict[int, list[Step]] = {}
        for (topic, partition), offset in offsets.items():
            steps.setdefault(partition, []).append((topic, before.get((topic, partition)), offset))
        return self._fence.advance(steps, epochs, run_ids)

    def applied(self, partitions: Iterable[int]) -> dict[tuple[str, int], int]:
        """Return which input the stored values contain: (topic, partition) → next offset."""
        return {
            (topic.decode(), partition): int(offset)
            for partition in partitions
            for topic, offset in self._client.hgetall(self._keys.applied(partition)).items()
        }

    def remember_sources(self, ids: Mapping[str, str]) -> dict[str, str]:
        """Return the ids of the topics that the stored states were made from; these, where none is known yet."""
        key = self._keys.sources
        commands: list[Routed] = [(key, ("HSETNX", key, topic, topic_id)) for topic, topic_id in ids.items()]
        *_, known = together(self._client, [*commands, (key, ("HMGET", key, *ids))])
        return {topic: topic_id.decode() for topic, topic_id in zip(ids, known, strict=True)}

    def trials(self, partitions: Iterable[int]) -> dict[tuple[str, int], bytes]:
        """Return what :meth:`write_trials` wrote: (topic, partition) → value."""
        return {
            (topic.decode(), partition): value
            for partition in partitions
            for topic, value in self._client.hgetall(self._keys.trials(partition)).items()
        }

    def write_trials(self, trials: Mapping[tuple[str, int], bytes | None]) -> None:
        """Remember how often partitions were begun and which of their events are poison; None = forget it."""
        commands: list[Routed] = []
        for (topic, partition), value in trials.items():
            key = self._keys.trials(partition)
            commands.append((key, ("HDEL", key, topic) if value is None else ("HSET", key, topic, value)))
        together(self._client, commands)

    # What belongs to nobody: written by the owner of one partition, under its epoch; returns whether it was.

    def write_shared(
        self, lists: Sequence[tuple[str, str | None, bytes]], gone: Sequence[str], epoch: int | None
    ) -> bool:
        """Write lists for everybody, given as (name, category, value), and remove those of categories that are gone."""
        keys = self._keys
        # First, so that no list is ever in the store that nobody would remove.
        listed = sorted({category for _, category, _ in lists if category is not None})
        named = _members("SADD", keys.categories, listed)
        commands: list[Command] = [("SET", keys.shared(name, category), value) for name, category, value in lists]
        commands += [("DEL", *(keys.shared(name, category) for name in SHARED)) for category in gone]
        return self._write_for_all(epoch, named, commands, _members("SREM", keys.categories, gone))

    def categories(self) -> list[str]:
        """Return the categories that have lists of their own."""
        return [name.decode(errors="surrogatepass") for name in self._client.smembers(self._keys.categories)]

    def write_items(
        self,
        similar: Iterable[tuple[str, bytes]],
        vectors: Iterable[tuple[str, bytes]],
        gone: Iterable[str],
        written: Offsets,
        epoch: int | None,
    ) -> bool:
        """Write items' neighbours and published vectors, and remove those of items that have left the model.

        ``written`` says up to which position of the learning log all of them are.
        """
        keys = self._keys
        gone, similar = list(gone), list(similar)
        commands: list[Command] = [("DEL", keys.similar(item), keys.item_vector(item)) for item in gone]
        commands += _members("HDEL", keys.names, [name_field(item_key(item)) for item in gone])
        commands += [("SET", keys.similar(item), value) for item, value in similar]
        # Each is a field and a value, an even number at once.
        named = [word for item, _ in similar for word in (name_field(item_key(item)), item)]
        commands += _members("HSET", keys.names, named)
        commands += [("SET", keys.item_vector(item), value) for item, value in vectors]
        return self._write_for_all(epoch, commands, self._written(written))

    def write_metadata(self, items: Sequence[Page], epoch: int | None) -> bool:
        """Write what pages show of items, which must not be shown, and by which terms they are found."""
        keys = self._keys
        # First: should only a part be written, the pages still say which terms stand there.
        found = self._postings.changes(items)
        commands: list[Command] = [("SET", keys.item(page.item), page.shown) for page in items]
        contents = [(keys.content(page.item), page.content) for page in items]
        commands += [("DEL", key) if content is None else ("SET", key, content) for key, content in contents]
        commands += _members("SADD", keys.withheld, [page.item for page in items if page.withheld])
        commands += _members("SREM", keys.withheld, [page.item for page in items if not page.withheld])
        return self._write_for_all(epoch, found, commands)

    def write_handled(self, records: Offsets, epoch: int | None) -> bool:
        """Say which item records :meth:`write_metadata` has written."""
        return self._write_for_all(epoch, self._written(records))

    def withhold(self, items: Sequence[str], epoch: int | None) -> bool:
        """Add items to those that must not be shown."""
        return self._write_for_all(epoch, _members("SADD", self._keys.withheld, items))

    def write_beat(self, beat: bytes, epoch: int | None) -> bool:
        """Add a beat to the namespace's pulse and let the oldest go, see ``streams.watching.pulse``."""
        pulse = self._keys.pulse
        return self._write_for_all(epoch, [("RPUSH", pulse, beat), ("LTRIM", pulse, -BEATS, -1)])

    # What every worker writes of itself.

    def write_status(self, worker: str, value: bytes) -> None:
        """Write what a worker says of itself; how old it is tells whether the worker still lives."""
        self._client.hset(self._keys.workers, worker, value)

    def worker_reports(self) -> dict[str, dict[str, Any]]:
        """Return what workers say of themselves, by their names."""
        found = self._client.hgetall(self._keys.workers).items()
        return {worker.decode(): orjson.loads(value) for worker, value in found}

    def takes_writes(self) -> bool:
        """Return whether the store answers and is neither full nor read-only."""
        try:
            self._client.set(self._keys.probe, 1, ex=60)
        except (redis.RedisError, RedisClusterException):
            return False
        return True

    def forget_workers(self, before_ms: int) -> None:
        """Remove what workers said of themselves before a time, ms since the epoch."""
        for worker, value in self._client.hgetall(self._keys.workers).items():
            if orjson.loads(value)["time"] < before_ms:
                self._client.hdel(self._keys.workers, worker)

    def _written(self, offsets: Offsets) -> list[Command]:
        return [
            ("HSET", self._keys.applied(partition), topic, offset) for (topic, partition), offset in offsets.items()
        ]

    def _write_for_all(self, epoch: int | None, *stages: Sequence[Command]) -> bool:
        epochs = {} if epoch is None else {STEWARD: epoch}
        return not self._fence.write([{STEWARD: commands} for commands in stages], epochs)


def _members(command: str, key: str, members: Sequence[str]) -> list[Command]:
    return [(command, key, *members[start : start + _MEMBERS]) for start in range(0, len(members), _MEMBERS)]
