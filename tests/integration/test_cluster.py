"""A deployment whose store is a real Redis Cluster of three masters: every part works on it, and a failover loses
nothing. That former owners change nothing there either, ``test_fence.py`` says of both kinds of store."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from commands.main import cli
from contracts.events import Item
from contracts.redis import Keys
from contracts.topics import partition_of
from infra.redis import connect
from infra.settings import Kafka, Redis, Settings
from models.user_state import decode_state
from serving.store.slots import slot_of, tags
from serving.store.store import Store
from tests.cluster import HOST, LocalCluster, clustered, spread
from tests.visits import FILMS, USERS, taste_of, visits, walks
from tests.worker import Worker, publish, working
from tests.writing import serving

ANN = "ann-5c1e"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalCluster]:
    with clustered(tmp_path_factory.mktemp("cluster"), replicas=1) as cluster:
        yield cluster


@pytest.fixture
def settings(kafka: str, cluster: LocalCluster, namespace: str, tmp_path: Path) -> Settings:
    broker = Kafka(bootstrap=kafka, prefix=namespace, partitions=4)
    return Settings(namespace="main", home=str(tmp_path / "data"), kafka=broker, redis=Redis(cluster.url, namespace))


def headrace(worker: Worker, *arguments: str) -> str:
    config = str(worker.settings.home_dir / "worker.toml")
    result = CliRunner().invoke(cli, [*arguments, "--config", config])
    assert result.exit_code == 0, result.output
    return result.output


def read(worker: Worker, *arguments: str) -> Any:
    return json.loads(headrace(worker, *arguments, "--json"))


def test_lists_on_all_masters_are_served_with_all_that_a_caller_may_wish(
    settings: Settings, cluster: LocalCluster
) -> None:
    with working(settings) as worker, serving(settings) as service:
        films = [Item(film, f"A {taste} film", [taste]) for taste in FILMS for film in FILMS[taste]]
        publish(settings, *films, *walks())
        worker.wait_until_items()
        worker.wait_until_fresh(*(f"u{user}" for user in range(24)))
        assert spread(cluster, (worker.keys.top(f"u{user}") for user in range(24))) == 3
        assert spread(cluster, (worker.keys.item(film) for film in FILMS["space"])) == 3
        assert spread(cluster, (worker.keys.state(number, f"u{user}") for number in range(4) for user in range(24))) > 1

        token = service.post([{"user": ANN, "item": film} for film in FILMS["space"][:8]])["token"]
        assert set(FILMS["space"][:8]).isdisjoint(service.listed(ANN, token))
        wishes = {"n": 5, "explain": True, "titles": True, "categories": "space", "exclude": FILMS["space"][9]}
        found = service.ask("GET", f"/recommend/{ANN}", params=wishes).json()
        assert found["stage"] == "personal"
        assert all(each["title"] == "A space film" and each["because"] for each in found["items"])
        assert taste_of([each["item"] for each in found["items"]]) == {"crime": 0, "space": 5}
        film = FILMS["crime"][3]
        shared = worker.keys.shared
        everybodys = (shared("popular"), shared("trending"), shared("latest"), shared("popular", "crime"))
        worker.wait_until_listed(*everybodys, worker.keys.similar(film))
        for path in ("/popular", "/trending", "/latest", "/popular?category=crime", f"/similar/{film}"):
            assert service.ask("GET", path).json()["items"], path
        for path in ("/live", "/live/users", f"/live/users/{ANN}", f"/live/items/{film}", f"/explain/{ANN}/{film}"):
            assert service.ask("GET", path).status_code == 200, path
        asked = service.ask("POST", "/recommend", {"text": "space films"}).json()
        assert taste_of([each["item"] for each in asked["items"]])["crime"] == 0 < len(asked["items"])
        guest = service.ask("POST", "/recommend", {"recent": FILMS["crime"][:3]}).json()
        assert guest["items"]

        hidden = found["items"][0]["item"]
        token = service.ask("PATCH", f"/items/{hidden}", {"hidden": True}).json()["token"]
        assert hidden not in service.listed(ANN, token)
        worker.stop()


def test_every_command_works_and_who_is_forgotten_leaves_nothing_on_any_node(
    settings: Settings, cluster: LocalCluster
) -> None:
    with working(settings) as worker:
        publish(settings, Item("i1", "First", ["a"]), *visits(0), *visits(1))
        publish(settings, *(msgspec.structs.replace(click, user=ANN) for click in visits(2)[:5]))
        worker.wait_until_items()
        worker.wait_until_fresh("u3", ANN)
        assert read(worker, "status")["workers"]["test"]["ready"]
        found = read(worker, "doctor")["findings"]
        assert [each for each in found if each["state"] == "problem"] == []
        assert sum(each["subject"].startswith("Redis version of") for each in found) == 3
        assert read(worker, "recommend", "u3")["stage"] == "personal"
        assert read(worker, "item", "i1")["title"] == "First"
        assert json.loads(headrace(worker, "export", ANN))["user"] == ANN
        hers, all_of = f"{settings.redis.prefix}:*{ANN}*", f"{settings.redis.prefix}:{{}}:*"
        assert any(cluster.held(hers))
        headrace(worker, "forget", ANN)
        assert not any(cluster.held(hers))
        worker.stop()
        headrace(worker, "replay", "--namespace", "next")
        headrace(worker, "promote", "next", "--force")
        told = read(worker, "namespaces")
        assert (told["active"], [each["namespace"] for each in told["namespaces"]]) == ("next", ["main", "next"])
        assert read(worker, "recommend", "u3")["stage"] == "personal"
        assert not any(cluster.held(hers))
        headrace(worker, "promote", "main", "--force")
        headrace(worker, "namespaces", "delete", "next")
        assert not any(cluster.held(all_of.format("next")))
        assert any(cluster.held(all_of.format("main")))


def test_a_slot_that_moves_while_it_is_written_loses_nothing_and_its_fence_comes_along(
    settings: Settings, cluster: LocalCluster
) -> None:
    keys = Keys("main", settings.redis.prefix)
    store = Store(connect(cluster.url), keys, 3600)
    former, present = store.raise_epochs([0]), store.raise_epochs([0])
    store.write_lists([(0, "u", b"[1]")], {}, present)
    slot = slot_of(keys.top("u"))
    masters = cluster.serving()
    ids = {number: cluster.ask(number, "CLUSTER", "MYID").decode() for number in masters}
    here = next(number for number in masters if keys.top("u").encode() in cluster.ask(number, "KEYS", "*"))
    there = next(number for number in masters if number != here)
    cluster.ask(there, "CLUSTER", "SETSLOT", slot, "IMPORTING", ids[here])
    cluster.ask(here, "CLUSTER", "SETSLOT", slot, "MIGRATING", ids[there])
    moving = cluster.ask(here, "CLUSTER", "GETKEYSINSLOT", slot, 1000)
    port = cluster.nodes[there].url.rpartition(":")[2].partition("/")[0]
    cluster.ask(here, "MIGRATE", HOST, port, "", 0, 5000, "KEYS", *moving)
    # Half way: all its keys are there, and the Cluster still says here.
    assert store.write_lists([(0, "u", b"[2]")], {}, former) == {0}
    assert store.write_lists([(0, "u", b"[2]")], {}, present) == frozenset()
    for number in masters:
        cluster.ask(number, "CLUSTER", "SETSLOT", slot, "NODE", ids[there])
    assert store.write_lists([(0, "u", b"[3]")], {}, former) == {0}
    assert store.write_lists([(0, "u", b"[3]")], {("t", 0): 1}, present) == frozenset()
    assert connect(cluster.url).get(keys.top("u")) == b"[3]"


def test_an_owner_whose_epoch_a_node_has_forgotten_is_refused_there_until_he_takes_his_partition_anew(
    settings: Settings, cluster: LocalCluster
) -> None:
    keys = Keys("main", settings.redis.prefix)
    client: Any = connect(cluster.url)
    store = Store(client, keys, 3600)
    present, place = store.raise_epochs([0]), keys.epochs(tags()[slot_of(keys.top("u"))])
    client.hset(place, 0, present[0] - 1)  # as after a failover that has lost the last second
    assert store.write_lists([(0, "u", b"[1]")], {("t", 0): 1}, present) == {0}
    assert not client.exists(keys.top("u"), keys.watermark(0))  # no mark promises what was not written
    client.hset(place, 0, present[0] + 1000)  # and as where another node's clock was ahead
    present = store.raise_epochs([0])
    assert store.write_lists([(0, "u", b"[1]")], {("t", 0): 1}, present) == frozenset()
    assert client.exists(keys.top("u"), keys.watermark(0)) == 2


def test_while_a_master_is_away_events_wait_and_the_worker_lives(settings: Settings, cluster: LocalCluster) -> None:
    with working(settings) as worker:
        publish(settings, *visits(0))
        worker.wait_until_applied()
        pid = worker.process.pid
        cluster.nodes[2].kill()
        publish(settings, *visits(1))
        worker.wait(lambda: "redis is" in worker.words())
        cluster.nodes[2].start()
        cluster.wait(cluster.whole)
        assert worker.wait_until_applied()["learned"] == 2 * USERS
        worker.wait_until_fresh(*(f"u{user}" for user in range(USERS)))
        assert worker.process.pid == pid
        worker.stop()


def test_a_failover_to_a_replica_that_lacks_the_last_moment_loses_no_event_and_lists_are_served_on(
    settings: Settings, cluster: LocalCluster
) -> None:
    with working(settings) as worker, serving(settings) as service:
        publish(settings, *visits(0))
        worker.wait_until_fresh("u3")
        assert service.ask("GET", "/recommend/u3").json()["stage"] == "personal"  # it knows all nodes from now on
        pid = worker.process.pid
        cluster.part(3)
        publish(settings, *visits(1))
        before = worker.wait_until_applied()
        cluster.nodes[0].kill()
        publish(settings, *visits(2))
        cluster.take_over(3)
        assert worker.wait_until_applied()["learned"] == 3 * USERS
        worker.wait_until_fresh(*(f"u{user}" for user in range(USERS)))
        assert (worker.process.pid, before["rejoined"]) == (pid, 0) and worker.status()["rejoined"] > 0
        homes = {f"u{user}": partition_of(f"u{user}", settings.kafka.partitions) for user in range(USERS)}
        assert 3 in homes.values()  # of which the states lay on the node that is gone
        for user, home in homes.items():
            assert decode_state(worker.store.get(worker.keys.state(home, user))).events == 3
            answer = service.ask("GET", f"/recommend/{user}")
            assert (answer.status_code, answer.json()["stage"]) == (200, "personal")
        worker.stop()
