"""Kafka goes and comes back, and topics that are no longer what they were: nothing is skipped without a word."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient

from contracts.topics import CLICKS, LEARNING, Topic, topic_name
from infra.kafka import LocalKafka
from infra.settings import Settings
from infra.settings import Worker as Section
from streams.consuming.membership import group_properties
from streams.consuming.sources import what_changed
from streams.kafka.admin import describe, ensure_topics, topics_by_user
from tests.visits import USERS, visits
from tests.worker import Worker, forget_producer, publish, working


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalKafka]:
    """A broker of these tests' own."""
    with LocalKafka(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker
        broker.kill()  # sooner than in order


@pytest.fixture
def own(settings: Settings, broker: LocalKafka) -> Settings:
    """The test's settings with that broker."""
    return msgspec.structs.replace(settings, kafka=msgspec.structs.replace(settings.kafka, bootstrap=broker.bootstrap))


def test_while_kafka_is_away_lists_stay_and_the_worker_lives(own: Settings, broker: LocalKafka) -> None:
    with working(own) as worker:
        publish(own, *visits(0))
        worker.wait_until_fresh("u3")
        before = worker.list_of("u3")
        broker.kill()
        time.sleep(1)
        assert worker.list_of("u3")["items"] == before["items"]
        broker.start()
        forget_producer()
        publish(own, *visits(1))
        # The group may have given up its static member, which cannot go on then: a supervisor's restart can.
        status = supervised(worker)
        assert (status["learned"], status["log_gaps"]) == (2 * USERS, 0)
        worker.stop()


def test_a_worker_whose_place_another_has_taken_ends_at_once(own: Settings) -> None:
    with working(own) as worker:
        publish(own, *visits(0))
        worker.wait_until_applied()
        usurper = Consumer(
            group_properties(f"{own.kafka.prefix}-{own.namespace}", Section(instance="test"))
            | {"bootstrap.servers": own.kafka.bootstrap, "log_level": 0}
        )
        usurper.subscribe([topic_name(CLICKS, own.kafka.prefix, own.namespace)])
        deadline = time.monotonic() + 60
        while worker.process.poll() is None and time.monotonic() < deadline:
            usurper.poll(0.1)
        usurper.close()
        assert worker.process.poll() == 1
        assert "the consumer cannot go on" in worker.words()


def test_a_topic_that_was_created_again_is_another_source_and_refused(own: Settings) -> None:
    with working(own) as worker:
        publish(own, *visits(0))
        worker.wait_until_applied()
        worker.stop()
        create_again(own, CLICKS)
        publish(own, *visits(1)[:3])
        assert "was deleted and created again since its events were applied" in refusal(worker)
        # In a new namespace all that the topic holds now counts.
        anew = msgspec.structs.replace(own, namespace=f"{own.namespace}-2", home=f"{own.home}-2")
        with working(anew) as other:
            assert other.wait_until_applied()["learned"] == 3


def test_a_topic_that_is_created_again_under_a_worker_ends_it(own: Settings) -> None:
    with working(own) as worker:
        publish(own, *visits(0))
        worker.wait_until_applied()
        known = describe(own, topics_by_user(own))
        assert what_changed(own, known) is None
        create_again(own, CLICKS)
        assert "was deleted and created again" in (what_changed(own, known) or "")
        publish(own, *visits(1))  # as many as before: a consumer may go on at their end, and notice nothing
        worker.last_words()
        assert "was deleted and created again" in refusal(worker)


def test_a_learning_log_shorter_than_the_checkpoint_is_refused(own: Settings) -> None:
    with working(own) as worker:
        publish(own, *visits(0))
        worker.wait_until_applied()
        worker.stop()
        create_again(own, LEARNING)
        assert "`headrace replay`" in refusal(worker)


def test_a_broker_restored_from_an_older_copy_is_noticed(own: Settings, broker: LocalKafka, tmp_path: Path) -> None:
    logs, copy = broker.directory / "logs", tmp_path / "copy"
    with working(own) as worker:
        publish(own, *visits(0))
        worker.wait_until_applied()
        worker.stop()
        broker.stop()
        shutil.copytree(logs, copy)
        broker.start()
        forget_producer()
        worker.start()
        publish(own, *visits(1))
        worker.wait_until_applied()
        worker.stop()
        broker.kill()
        shutil.rmtree(logs)
        copy.rename(logs)
        broker.start()
        words = refusal(worker)
        assert "what lies between is lost" in words or "its newest records are lost" in words


def supervised(worker: Worker) -> dict[str, Any]:
    """Wait until everything is applied, by a worker that is started again if it ends."""
    try:
        return worker.wait_until_applied()
    except AssertionError:
        if worker.process.poll() is None:  # the group may keep who was there before for a session
            return worker.wait_until_applied()
        assert worker.process.poll() == 1
        assert "the consumer cannot go on" in worker.words()
        worker.start()
        return worker.wait_until_applied()


def create_again(settings: Settings, topic: Topic) -> None:
    """Delete a topic with all that it holds, and create it anew."""
    name = topic_name(topic, settings.kafka.prefix, settings.namespace)
    client = AdminClient({"bootstrap.servers": settings.kafka.bootstrap, "log_level": 0})
    client.delete_topics([name])[name].result(30)
    deadline = time.monotonic() + 30
    while name in client.list_topics(timeout=10).topics:
        assert time.monotonic() < deadline
        time.sleep(0.05)
    ensure_topics(settings)
    forget_producer()


def refusal(worker: Worker) -> str:
    """What a worker says that refuses to start."""
    worker.start()
    return worker.last_words()
