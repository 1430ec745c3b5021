"""Promoting a namespace and going back, on a real store, while readers ask."""

from __future__ import annotations

import asyncio
import json
import time
from pathlib import Path

import msgspec
import orjson
import pytest
from click.testing import CliRunner, Result

from commands.main import cli
from contracts.redis import Keys, encode_list
from infra.errors import HeadraceError
from infra.redis import connect
from infra.settings import Settings
from serving.answers import answers
from serving.reading.reader import Reader
from serving.store.namespaces import Namespaces
from streams.kafka.admin import ensure_topics
from streams.replaying.promotion import missing
from streams.replaying.replay import Wishes, replay
from tests.unit.workload import events
from tests.worker import publish, working

SWITCHES = 40


def fill(url: str, keys: Keys, name: str) -> None:
    """Write a namespace whose every item bears its name; the second item on each list is withheld in it."""
    store, items = connect(url), [f"{name}-{n}" for n in range(5)]
    scores = [5.0, 4.0, 3.0, 2.0, 1.0]
    store.set(keys.top("ann"), encode_list("1.1", items, scores, [], 1, "1"))
    for shared in ("popular", "trending", "latest"):
        store.set(keys.shared(shared), orjson.dumps({"items": items, "scores": scores, "time": 1}))
    store.set(keys.similar("it"), orjson.dumps({"items": items, "scores": scores, "time": 1}))
    store.sadd(keys.withheld, items[1])


def test_a_reader_that_asks_during_promote_and_back_gets_neither_an_empty_nor_a_mixed_answer(
    redis_url: str, namespace: str
) -> None:
    for name in ("old", "new"):
        fill(redis_url, Keys(name, namespace), name)
    namespaces = Namespaces(connect(redis_url), namespace, "old")
    seen: set[str] = set()

    async def ask(done: asyncio.Event) -> None:
        async with Reader(redis_url, namespace, "old", follow_s=0.0) as reader:
            while not done.is_set():
                own = await answers.for_user(reader, "ann")
                stranger = await answers.for_user(reader, "stranger")
                similar = await answers.similar(reader, "it")
                for answer in (own, stranger, similar):
                    of = {entry.item.split("-")[0] for entry in answer.items}
                    assert len(of) == 1
                    assert [entry.item.split("-")[1] for entry in answer.items] == ["0", "2", "3", "4"]
                    seen.update(of)

    async def switch(done: asyncio.Event) -> None:
        for _ in range(SWITCHES):
            await asyncio.to_thread(namespaces.activate, "new")
            await asyncio.sleep(0.005)
            await asyncio.to_thread(namespaces.activate, namespaces.previous() or "")
            await asyncio.sleep(0.005)
        done.set()

    async def both() -> None:
        done = asyncio.Event()
        await asyncio.gather(switch(done), *(ask(done) for _ in range(3)))

    asyncio.run(both())
    assert seen == {"old", "new"}


def test_going_back_is_one_step_and_twice_back_is_forward(redis_url: str, namespace: str) -> None:
    namespaces = Namespaces(connect(redis_url), namespace, "main")
    assert (namespaces.active(), namespaces.previous()) == ("main", None)
    assert namespaces.activate("next") == "main"
    assert namespaces.activate("next") == "next"  # again: nothing changes, the way back stays
    assert (namespaces.active(), namespaces.previous()) == ("next", "main")
    namespaces.activate("main")
    assert (namespaces.active(), namespaces.previous()) == ("main", "next")


@pytest.fixture
def config(settings: Settings, tmp_path: Path) -> str:
    path = tmp_path / "promote.toml"
    path.write_text(
        f'home = "{settings.home}"\n'
        f'[kafka]\nbootstrap = "{settings.kafka.bootstrap}"\nprefix = "{settings.kafka.prefix}"\n'
        f"partitions = {settings.kafka.partitions}\n"
        f'[redis]\nurl = "{settings.redis.url}"\nprefix = "{settings.redis.prefix}"\n'
    )
    return str(path)


def headrace(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def test_a_namespace_is_promoted_when_its_workers_are_up_to_date_and_not_before(
    settings: Settings, config: str
) -> None:
    ensure_topics(settings)
    publish(settings, *events(500, users=10))
    following = msgspec.structs.replace(settings, namespace="next")
    namespaces = Namespaces(connect(settings.redis.url), settings.redis.prefix)
    assert missing(following, namespaces) == [
        "it has no list of popular items yet",
        "none of its workers runs: start one with `headrace worker --namespace next`",
    ]
    replay(following, Wishes())
    refused = headrace("promote", "next", "--config", config)
    assert isinstance(refused.exception, HeadraceError)
    assert "next is not ready: none of its workers runs" in str(refused.exception)
    assert isinstance(headrace("promote", "--back", "--config", config).exception, HeadraceError)
    with working(following) as worker:
        worker.wait_until_applied()
        worker.wait(lambda: bool(worker.status()["ready"]))
        done = headrace("promote", "next", "--config", config, "--json")
        assert json.loads(done.output) == {"active": "next", "before": "main", "missing": []}
        listed = json.loads(headrace("namespaces", "--config", config, "--json").output)
        assert listed["active"] == "next"
        (row,) = listed["namespaces"]
        assert (row["namespace"], row["active"], row["users"], row["workers"]) == ("next", True, 10, 1)
        assert "next" in headrace("namespaces", "--config", config).output
        assert isinstance(headrace("namespaces", "delete", "next", "--config", config).exception, HeadraceError)
    back = headrace("promote", "--back", "--force", "--config", config)
    assert back.exit_code == 0
    assert "main is active now, next was before" in back.output
    deadline = time.monotonic() + 60
    while (deleted := headrace("namespaces", "delete", "next", "--config", config)).exception:
        assert "are running" in str(deleted.exception)  # its worker was killed a moment ago
        assert time.monotonic() < deadline
        time.sleep(0.2)
    assert "next is deleted" in deleted.output
    assert namespaces.previous() is None
