"""What the live page reads, from a Redis that holds what workers would have written."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import httpx
import numpy as np
import orjson
import pytest
import redis

from commands.histories import history_of
from contracts.events import TYPES, item_key
from contracts.redis import BEATS, Keys, encode_vector, name_field
from contracts.topics import partition_of
from models.user_state import UserState, encode_state
from serving.api import create_app
from serving.reading.live import EVENTS
from serving.reading.reader import Reader
from serving.store.store import Store
from tests.integration.test_api import HOSTILE

NOW = time.time_ns() // 1_000_000
PARTITIONS = 4


class Service:
    def __init__(self, url: str, prefix: str, runner: asyncio.Runner) -> None:
        self.store, self.keys, self._runner = redis.Redis.from_url(url), Keys("main", prefix), runner
        self.reader = Reader(url, prefix)
        app = create_app(self.reader, history=history_of)
        self._client = httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://service")

    def get(self, path: str, **parameters: Any) -> Any:
        response = self._runner.run(self._client.get(path, params=parameters or None))
        assert response.status_code == 200, response.text
        return response.json()

    def remember(self, user: str, *events: tuple[str, int, str, float]) -> None:
        """Write a user's state: item, time, type, rating."""
        items, times, types, ratings = zip(*events, strict=True)
        state = UserState(
            events=len(events),
            offsets=(-1, -1),
            quota=(0, 0),
            silenced=0,
            keys=np.array([item_key(item) for item in items], np.uint64),
            times=np.array(times, np.int64),
            identities=np.zeros(len(events), np.uint64),
            kinds=np.array([TYPES.index(name) for name in types], np.uint8),
            values=np.array(ratings, np.float32),
            attributes=np.zeros(0, np.uint32),
            seen=np.zeros(0, np.uint64),
        )
        self.store.set(self.keys.partitions, PARTITIONS)
        self.store.set(self.keys.state(partition_of(user, PARTITIONS), user), encode_state(state))

    def close(self) -> None:
        self._runner.run(self._client.aclose())
        self._runner.run(self.reader.__aexit__(None, None, None))
        self.store.close()


@pytest.fixture
def service(redis_url: str, namespace: str) -> Iterator[Service]:
    with asyncio.Runner() as runner:
        started = Service(redis_url, namespace, runner)
        yield started
        started.close()


@pytest.fixture
def alone(redis_url: str, namespace: str) -> Iterator[Service]:
    """A service on a database without the keys of other tests."""
    with asyncio.Runner() as runner:
        started = Service(urlsplit(redis_url)._replace(path="/9").geturl(), namespace, runner)
        started.store.flushdb()
        yield started
        started.close()


def path(kind: str, identifier: str) -> str:
    return f"/live/{kind}/{quote(identifier, safe='').replace('.', '%2E')}"


def test_of_nothing_nothing_is_said(service: Service) -> None:
    assert service.get("/live") | {"time": 0} == {
        "namespace": "main", "previous": None, "time": 0, "written": None, "workers": [], "items": 0, "scorers": {},
        "pulse": [],
    }  # fmt: skip
    assert service.get("/live/users") == []
    assert service.get(path("users", "nobody")) == {"user": "nobody", "events": []}
    assert service.get(path("items", "nothing"))["known"] is False


def test_the_overview_holds_reports_and_the_beats_since(service: Service) -> None:
    for name, time_ms in (("gone", NOW - 60_000), ("here", NOW)):
        report = {"worker": name, "time": time_ms, "ready": True, "items": 7, "scorers": {"blend": {"alarms": 1}}}
        service.store.hset(service.keys.workers, name, orjson.dumps(report))
    epoch = Store(service.store, service.keys, 60).raise_epochs([0])[0]
    store = Store(service.store, service.keys, 60)
    for number in range(BEATS + 3):
        assert store.write_beat(orjson.dumps({"time": NOW - 2000 * (BEATS + 2 - number)}), epoch)
    found = service.get("/live")
    assert [worker["worker"] for worker in found["workers"]] == ["here", "gone"]
    assert (found["written"], found["items"], found["scorers"]) == (NOW, 7, {"blend": {"alarms": 1}})
    assert [beat["time"] for beat in found["pulse"]] == [NOW - 2000 * n for n in reversed(range(BEATS))]
    newer = service.get("/live", since=NOW - 4000)["pulse"]
    assert [beat["time"] for beat in newer] == [NOW - 2000, NOW]


def test_a_beat_of_a_former_owner_is_refused(service: Service) -> None:
    store = Store(service.store, service.keys, 60)
    epoch = store.raise_epochs([0])[0]
    store.raise_epochs([0])
    assert not store.write_beat(b"{}", epoch)
    assert service.get("/live")["pulse"] == []


@pytest.mark.parametrize("user", ["ann", *HOSTILE])
def test_a_user_is_shown_with_his_newest_events_first(service: Service, user: str) -> None:
    service.remember(
        user, ("i1", NOW - 9, "click", np.nan), ("日 本", NOW - 5, "rating", 4.5), ("left", NOW, "hide", np.nan)
    )
    for item in ("i1", "日 本"):
        service.store.hset(service.keys.names, name_field(item_key(item)), item)
    service.store.set(service.keys.item("i1"), orjson.dumps({"item": "i1", "title": "One"}))
    assert service.get(path("users", user))["events"] == [
        {"item": None, "title": None, "type": "hide", "time": NOW, "rating": None},
        {"item": "日 本", "title": None, "type": "rating", "time": NOW - 5, "rating": 4.5},
        {"item": "i1", "title": "One", "type": "click", "time": NOW - 9, "rating": None},
    ]


def test_of_many_events_the_newest_are_shown_and_of_a_damaged_state_none(service: Service) -> None:
    service.remember("ann", *((f"i{n}", NOW + n, "click", np.nan) for n in range(EVENTS + 5)))
    assert [event["time"] for event in service.get(path("users", "ann"))["events"]] == [
        NOW + n for n in reversed(range(5, EVENTS + 5))
    ]
    key = service.keys.state(partition_of("ann", PARTITIONS), "ann")
    service.store.set(key, service.store.get(key)[:-1])
    assert service.get(path("users", "ann"))["events"] == []


def test_some_users_with_lists_are_named(alone: Service) -> None:
    for user in (*HOSTILE, *(f"u{n}" for n in range(40))):
        alone.store.set(alone.keys.top(user), b"{}")
    found = alone.get("/live/users", n=100)
    assert sorted(found) == sorted({*HOSTILE, *(f"u{n}" for n in range(40))})
    assert len(alone.get("/live/users", n=5)) == 5


def test_neighbours_come_with_their_evidence_and_without_what_is_withheld(service: Service) -> None:
    listed = {
        "items": ["b", "hidden", "c", "d"], "scores": [0.9, 0.8, 0.7, 0.6], "time": NOW,
        "after": [3.5, 1.0, 0.0], "before": [0.5, 1.0, 2.0],
    }  # fmt: skip
    service.store.set(service.keys.similar("a"), orjson.dumps(listed))
    service.store.set(service.keys.item("a"), orjson.dumps({"item": "a", "title": "A", "categories": ["x"]}))
    service.store.set(service.keys.item("b"), orjson.dumps({"item": "b", "title": "B"}))
    service.store.sadd(service.keys.withheld, "hidden")
    # The last element is the bias, which is no part of the direction.
    for item, vector in (("a", [1, 0, 9]), ("b", [1, 1, -9]), ("c", [0, 2, 0])):
        service.store.set(service.keys.item_vector(item), encode_vector(np.array(vector, np.float32)))
    found = service.get(path("items", "a"))
    assert (found["known"], found["title"], found["categories"], found["withheld"]) == (True, "A", ["x"], False)
    assert found["neighbours"] == [
        {"item": "b", "title": "B", "score": 0.9, "after": 3.5, "before": 0.5, "cosine": 0.707},
        {"item": "c", "title": None, "score": 0.7, "after": 0.0, "before": 2.0, "cosine": 0.0},
        {"item": "d", "title": None, "score": 0.6, "after": None, "before": None, "cosine": None},
    ]


def test_a_broken_value_does_not_keep_the_others_from_being_shown(service: Service) -> None:
    service.store.hset(service.keys.workers, "bad", b"{")
    service.store.hset(service.keys.workers, "good", orjson.dumps({"worker": "good", "time": NOW, "ready": True}))
    service.store.rpush(service.keys.pulse, b"[]", b'{"time": "soon"}', orjson.dumps({"time": NOW}))
    service.store.set(service.keys.similar("a"), orjson.dumps({"items": ["b"], "scores": [1.0], "time": NOW}))
    service.store.set(service.keys.item_vector("a"), b"\x07")
    found = service.get("/live")
    assert [worker["worker"] for worker in found["workers"]] == ["good"]
    assert [beat["time"] for beat in found["pulse"]] == [NOW]
    assert service.get(path("items", "a"))["neighbours"][0]["cosine"] is None
