"""A deployment whose broker and store ask for TLS and for a password: every part and every command reaches both."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest
from click.testing import CliRunner, Result
from redis.exceptions import NoPermissionError

from commands.main import cli
from contracts.events import Click, Item, Rating
from contracts.redis import Keys, encode_list
from infra.errors import BrokerError, SettingsError, StoreError
from infra.redis import connect
from infra.settings import Kafka, Redis, Settings, load_settings
from serving.api import create_app
from serving.reading.reader import Reader
from serving.store.store import Store
from streams.kafka.admin import ensure_topics
from tests.secure import PASSWORD, READER_RIGHTS, USER, secure_broker, secure_cluster, secure_store
from tests.worker import configured, publish, working


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Kafka, str]]:
    directory = tmp_path_factory.mktemp("secure")
    with secure_store(directory / "store") as url, secure_broker(directory / "broker") as kafka:
        yield kafka, url


@pytest.fixture
def settings(secured: tuple[Kafka, str], namespace: str, tmp_path: Path) -> Settings:
    kafka, url = secured
    kafka = msgspec.structs.replace(kafka, prefix=namespace, partitions=2)
    return Settings(namespace="main", home=str(tmp_path / "data"), kafka=kafka, redis=Redis(url, namespace))


def headrace(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def read(*arguments: str) -> Any:
    result = headrace(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.output)


def test_every_part_and_command_works_with_both(settings: Settings, tmp_path: Path) -> None:
    with working(settings) as worker:
        publish(settings, Item("i1", "First", ["a"]), Item("i2", "Second", ["a"]))
        publish(settings, *(Click(f"u{n % 7}", f"i{n % 5}", time=1_000_000 + n) for n in range(20)))
        publish(settings, Rating("u1", "i9", 5.0, time=2_000_000))
        worker.wait_until_applied()
        worker.wait_until_fresh("u1")
        config = str(settings.home_dir / "worker.toml")
        assert read("status", "--config", config)["workers"]["test"]["ready"]
        problems = [f for f in read("doctor", "--config", config)["findings"] if f["state"] == "problem"]
        assert problems == []
        assert read("recommend", "u1", "--config", config)["stage"] == "personal"
        assert read("item", "i1", "--config", config)["title"] == "First"
        events = tmp_path / "more.jsonl"
        events.write_text('{"user": "u9", "item": "i1"}\n')
        assert headrace("publish", str(events), "--config", config).exit_code == 0
        worker.wait_until_applied()
        worker.wait(lambda: worker.list_of("u9") != {})
        assert "i1" in headrace("export", "u9", "--config", config).output
        assert headrace("forget", "u9", "--config", config).exit_code == 0
        worker.wait(lambda: worker.list_of("u9") == {})
        assert headrace("deadletters", "--config", config).exit_code == 0
        worker.stop()
    replayed = headrace("replay", "--namespace", "next", "--config", config)
    assert replayed.exit_code == 0, replayed.output
    assert headrace("promote", "next", "--force", "--config", config).exit_code == 0
    assert [found["namespace"] for found in read("namespaces", "--config", config)["namespaces"]] == ["main", "next"]


def test_a_reader_needs_no_right_to_write(tmp_path: Path, namespace: str) -> None:
    async def asked(url: str) -> list[int]:
        reader = Reader(url, namespace)
        transport = httpx.ASGITransport(create_app(reader))
        async with reader, httpx.AsyncClient(transport=transport, base_url="http://service") as client:
            return [(await client.get(path)).status_code for path in ("/popular", "/recommend/ann", "/similar/i1")]

    with secure_store(tmp_path, READER_RIGHTS) as url:
        assert asyncio.run(asked(url)) == [200, 200, 200]


def test_a_cluster_may_ask_for_both_too(tmp_path: Path, namespace: str) -> None:
    keys = Keys("main", namespace)

    async def asked(url: str) -> list[str]:
        async with Reader(url, namespace) as reader:
            found = [await reader.user_list(f"u{user}") for user in range(20)]
        return [one.items[0] for one in found if one is not None]

    with (
        secure_cluster(tmp_path) as (workers, readers),
        connect(workers) as client,
        connect(readers) as reading,
    ):
        store = Store(client, keys, 60)
        epochs = store.raise_epochs([0])
        lists = [(0, f"u{user}", encode_list("1.1", [f"i{user}"], [1.0], [], 1, "1")) for user in range(20)]
        assert store.write_lists(lists, {}, epochs) == frozenset()
        assert store.write_applied({("t", 0): 1}, {}, epochs, {0: store.run_id()}) == frozenset()
        assert asyncio.run(asked(readers)) == [f"i{user}" for user in range(20)]
        with pytest.raises(NoPermissionError):
            Store(reading, keys, 60).raise_epochs([0])


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("rediss://{user}:wrong@{place}", "invalid username-password pair"),
        ("redis://{user}:wrong@{place}", "redis.url"),
        ("rediss://{user}:wrong@{host}", "certificate verify failed"),
    ],
)
def test_a_store_that_refuses_says_why_and_never_the_password(secured: tuple[Kafka, str], url: str, said: str) -> None:
    place = secured[1].rpartition("@")[2]
    with pytest.raises(StoreError, match=said) as refused:
        connect(url.format(user=USER, place=place, host=place.partition("/")[0]))
    assert "wrong" not in str(refused.value)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"sasl.password": "wrong"}, "kafka.client says: .*Invalid username or password"),
        ({"ssl.ca.location": ""}, "kafka.client says: .*certificate verify failed"),
        ({"security.protocol": "PLAINTEXT"}, "TLS or a password needs kafka.client"),
    ],
)
def test_a_broker_that_refuses_says_why_and_never_the_password(
    settings: Settings, change: dict[str, str], said: str
) -> None:
    kafka = msgspec.structs.replace(settings.kafka, client=settings.kafka.client | change)
    with pytest.raises(BrokerError, match=said) as refused:
        ensure_topics(msgspec.structs.replace(settings, kafka=kafka))
    words = str(refused.value)
    assert "wrong" not in words and PASSWORD not in words


def test_secrets_come_from_the_environment(settings: Settings, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    text = configured(settings, "").read_text().replace(json.dumps(PASSWORD), '"${KAFKA_PASSWORD}"')
    file = tmp_path / "settings.toml"
    file.write_text(text.replace(settings.redis.url, "${REDIS_URL}"))
    monkeypatch.setenv("KAFKA_PASSWORD", PASSWORD)
    with pytest.raises(SettingsError, match="REDIS_URL"):
        load_settings(file)
    monkeypatch.setenv("REDIS_URL", settings.redis.url)
    found = load_settings(file)
    assert (found.redis.url, found.kafka.client) == (settings.redis.url, settings.kafka.client)
