"""Only the present owner of a partition changes what belongs to it; a real server and a real Cluster refuse others."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from contracts.redis import Keys
from infra.redis import LocalRedis, connect
from serving.store.fence import WentBack
from serving.store.postings import Page
from serving.store.store import STEWARD, Store
from tests.cluster import clustered

KEYS = Keys("fence")
EPOCHS = dict[int, int]
PLACE = ("clicks", 0)


@pytest.fixture(scope="module", params=["one server", "Cluster"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("fence")
    if request.param == "Cluster":
        with clustered(directory) as cluster:
            yield cluster.url
    else:
        with LocalRedis(directory) as server:
            yield server.url


@pytest.fixture
def client(url: str) -> Iterator[redis.Redis]:
    client: Any = connect(url)
    held = list(contents(client))
    if held:
        client.delete(*held)
    yield client
    client.close()


@pytest.fixture
def store(client: redis.Redis) -> Store:
    return Store(client, KEYS, 3600)


WRITES: dict[str, Callable[[Store, EPOCHS], Any]] = {
    "list": lambda store, epochs: store.write_lists([(0, "u", b"[]")], {}, epochs),
    "fresher list": lambda store, epochs: store.freshen_lists([(0, "u", b"[]", 60)], epochs),
    "watermark": lambda store, epochs: store.write_lists([], {PLACE: 5}, epochs),
    "state": lambda store, epochs: store.write_states([(0, "u", b"state")], [], epochs),
    "user vector": lambda store, epochs: store.write_states([], [(0, "u", b"vector")], epochs),
    "applied": lambda store, epochs: store.write_applied({PLACE: 5}, {}, epochs, {0: store.run_id()}),
    "shared lists": lambda store, epochs: store.write_shared([("popular", "c", b"[]")], [], epochs[0]),
    "categories": lambda store, epochs: store.write_shared([], ["c"], epochs[0]),
    "similar": lambda store, epochs: store.write_items([("i", b"[]")], [], [], {}, epochs[0]),
    "item vector": lambda store, epochs: store.write_items([], [("i", b"vector")], [], {}, epochs[0]),
    "gone items": lambda store, epochs: store.write_items([], [], ["i"], {}, epochs[0]),
    "items written": lambda store, epochs: store.write_items([], [], [], {("log", 0): 7}, epochs[0]),
    "metadata": lambda store, epochs: store.write_metadata([Page("i", b"{}", None, False)], epochs[0]),
    "withheld": lambda store, epochs: store.withhold(["i"], epochs[0]),
    "handled": lambda store, epochs: store.write_handled({("items", 3): 9}, epochs[0]),
}


def contents(client: Any) -> dict[bytes, Any]:
    """What is written under epochs; not these themselves."""
    readers = {b"string": client.get, b"hash": client.hgetall, b"set": client.smembers}
    found = (key for key in client.scan_iter(count=5000) if b":epoch" not in key)
    return {key: readers[client.type(key)](key) for key in found}


@pytest.fixture(scope="module")
def owners() -> list[EPOCHS]:
    return []


@pytest.mark.parametrize("kind", WRITES)
def test_a_former_owners_write_changes_nothing(
    store: Store, client: redis.Redis, kind: str, owners: list[EPOCHS]
) -> None:
    # The same two for all kinds: on a Cluster it takes a moment until every slot knows an owner.
    if not owners or not store.holds(0, owners[1][0]):
        owners[:] = [store.raise_epochs([0]), store.raise_epochs([0])]
    former, present = owners
    # Something that each kind of write would change, written by the present owner.
    store.write_shared([("popular", "c", b"[1]")], [], present[0])
    store.write_items([("i", b"[1]")], [("i", b"1")], [], {}, present[0])
    store.withhold(["j"], present[0])
    before = contents(client)
    answer = WRITES[kind](store, former)
    assert answer is False or answer == {0}
    assert contents(client) == before
    answer = WRITES[kind](store, present)
    assert answer is True or answer == frozenset()
    assert contents(client) != before


@pytest.mark.parametrize("kind", WRITES)
def test_who_never_owned_a_partition_changes_nothing(store: Store, client: redis.Redis, kind: str) -> None:
    answer = WRITES[kind](store, {0: -1})
    assert answer is False or answer == {0}
    assert contents(client) == {}


def test_only_the_refused_partitions_are_named_and_the_others_are_written(store: Store, client: Any) -> None:
    epochs = store.raise_epochs(range(3))
    store.raise_epochs([1])
    lists = [(number, f"u{number}", b"[]") for number in range(4)]
    assert store.write_lists(lists, {("clicks", 1): 4, ("clicks", 2): 4}, epochs) == {1, 3}
    assert [client.exists(KEYS.top(f"u{number}")) for number in range(4)] == [1, 0, 1, 0]
    assert (client.exists(KEYS.watermark(1)), client.exists(KEYS.watermark(2))) == (0, 1)


def test_a_write_of_any_length_is_written_whole(store: Store, client: Any) -> None:
    epochs = store.raise_epochs([0])
    assert store.write_lists([(0, f"u{n}", b"x" * 4000) for n in range(1001)], {PLACE: 1}, epochs) == frozenset()
    assert store.withhold([f"i{n}" for n in range(10_001)], epochs[STEWARD])
    assert len(list(client.scan_iter(KEYS.top("*").replace("%2A", "*"), count=5000))) == 1001
    assert client.scard(KEYS.withheld) == 10_001


def test_a_store_that_has_forgotten_the_scripts_is_told_them_again(store: Store, client: Any) -> None:
    epochs = store.raise_epochs([0])
    client.script_flush()
    assert store.write_lists([(0, "u", b"[]")], {}, epochs) == frozenset()
    assert client.get(KEYS.top("u")) == b"[]"


def test_epochs_rise_and_do_not_come_a_second_time_after_a_backup_is_restored(store: Store, client: Any) -> None:
    client.delete(KEYS.epoch(0))  # other tests have raised it above the clock
    first, second = store.raise_epochs([0])[0], store.raise_epochs([0])[0]
    assert second == first + 1
    client.delete(KEYS.epoch(0))
    assert store.raise_epochs([0])[0] >= first
    client.set(KEYS.epoch(0), first + 10**6)  # a clock that was set back does not matter
    assert store.raise_epochs([0])[0] == first + 10**6 + 1


def test_an_answer_that_was_lost_is_not_taken_for_a_store_that_went_back(store: Store) -> None:
    epochs, runs = store.raise_epochs([0]), {0: store.run_id()}
    for _ in range(2):  # the same call again: its first answer did not arrive
        assert store.write_applied({PLACE: 5}, {}, epochs, runs) == frozenset()
    assert store.write_applied({PLACE: 7}, {PLACE: 5}, epochs, runs) == frozenset()
    assert store.applied([0]) == {PLACE: 7}


@pytest.mark.parametrize("held", [None, 3])
def test_offsets_that_are_missing_or_lower_than_written_are_noticed(
    store: Store, client: Any, held: int | None
) -> None:
    epochs, runs = store.raise_epochs([0]), {0: store.run_id()}
    store.write_applied({PLACE: 5}, {}, epochs, runs)
    client.delete(KEYS.applied(0))
    if held is not None:
        client.hset(KEYS.applied(0), PLACE[0], held)
    with pytest.raises(WentBack):
        store.write_applied({PLACE: 7}, {PLACE: 5}, epochs, runs)
    assert store.applied([0]).get(PLACE) == held


def test_a_restarted_store_is_noticed_though_it_has_lost_nothing(tmp_path: Path) -> None:
    with LocalRedis(tmp_path / "redis") as server:
        store = Store(connect(server.url), KEYS, 3600)
        epochs, runs = store.raise_epochs([0]), {0: store.run_id()}
        store.write_applied({PLACE: 5}, {}, epochs, runs)
        server.stop()
        shutil.copytree(tmp_path / "redis", tmp_path / "backup")
        server.start()
        assert store.applied([0]) == {PLACE: 5}
        with pytest.raises(WentBack):
            store.write_applied({PLACE: 7}, {PLACE: 5}, epochs, runs)
        assert store.applied([0]) == {PLACE: 5}


def test_a_namespace_remembers_for_how_many_partitions_it_was_made(store: Store) -> None:
    assert store.remember_partitions(8) == 8
    assert store.remember_partitions(12) == 8


def test_lists_and_vectors_live_their_time_and_states_theirs_or_for_ever(store: Store, client: Any) -> None:
    epochs = store.raise_epochs([0])
    mortal = Store(client, KEYS, 60, 600)
    for of, life in ((mortal, 600), (store, -1)):
        of.write_states([(0, "u", b"state")], [(0, "u", b"vector")], epochs)
        assert client.ttl(KEYS.state(0, "u")) == life
    mortal.write_states([], [(0, "u", b"vector")], epochs)
    mortal.write_lists([(0, "u", b"[]")], {}, epochs)
    assert [client.ttl(key) for key in (KEYS.user_vector("u"), KEYS.top("u"))] == [60, 60]
    mortal.freshen_lists([(0, "u", b"[1]", 7)], epochs)
    assert client.ttl(KEYS.top("u")) == 7
