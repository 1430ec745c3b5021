"""``kafka.rekey``: events under any key, on any partition, are counted once by the owner of their user's partition."""

from __future__ import annotations

import msgspec
import orjson
import pytest

from contracts.events import Click, Rating, encode
from contracts.topics import CLICKS, RATINGS, REKEYED, Topic, partition_of, topic_name
from infra.failpoints import EXIT_STATUS
from infra.settings import Settings
from models.user_state import decode_state
from streams.applying.rekeying import SOURCE
from streams.kafka.admin import ensure_topics
from streams.kafka.whole import read_whole
from streams.replaying.replay import Wishes, replay
from tests.worker import TIMEOUT_S, Worker, raw_producer, working, working_together

History = dict[str, list[tuple[int, int, int]]]


@pytest.fixture
def rekeying(settings: Settings) -> Settings:
    return msgspec.structs.replace(settings, kafka=msgspec.structs.replace(settings.kafka, rekey=True))


def events(first: int, n: int) -> list[Click | Rating]:
    """Of twenty users, none of them the same item twice."""
    return [
        Rating(f"u{k % 20}", f"i{k}", float(k % 5), time=1_000_000 + k)
        if k % 3 == 0
        else Click(f"u{k % 20}", f"i{k}", time=1_000_000 + k)
        for k in range(first, first + n)
    ]


def publish_anyhow(settings: Settings, events: list[Click | Rating]) -> None:
    """Publish under the right key, another one or none, each on the right partition and on the others in turn."""
    producer, partitions = raw_producer(settings), settings.kafka.partitions
    for number, event in enumerate(events):
        topic = topic_name(RATINGS if isinstance(event, Rating) else CLICKS, settings.kafka.prefix, settings.namespace)
        key = (event.user, "somebody else", None)[number % 3]
        partition = (partition_of(event.user, partitions) + number // 3) % partitions
        producer.produce(topic, encode(event), key, partition, timestamp=event.time or 0)
    producer.flush()


def histories(worker: Worker, namespace: str) -> History:
    """What states of a namespace remember of each user's events, by time; each on its user's own partition."""
    head = f"{worker.settings.redis.prefix}:{namespace}:state:"
    found = {}
    for key in worker.store.scan_iter(f"{head}*", count=1000):
        partition, user = key.decode().removeprefix(head).split(":")
        assert int(partition.strip("{}")) == partition_of(user, worker.settings.kafka.partitions)
        state = decode_state(worker.store.get(key))  # type: ignore[arg-type]
        columns = (state.times, state.keys, state.kinds)
        found[user] = sorted(zip(*(column.tolist() for column in columns), strict=True))
        assert state.events == len(found[user])
    return found


def expected(events: list[Click | Rating]) -> dict[str, int]:
    return {user: sum(event.user == user for event in events) for user in {event.user for event in events}}


def forwarded(settings: Settings, topic: Topic) -> list[tuple[str, bytes]]:
    """The sources and values of what was forwarded of a topic."""
    name = topic_name(REKEYED[topic], settings.kafka.prefix, settings.namespace)
    found = []
    for message in read_whole(settings, name):
        user = orjson.loads(message.value())["user"]
        assert message.key() == user.encode()
        assert message.partition() == partition_of(user, settings.kafka.partitions)
        assert message.timestamp()[1] == orjson.loads(message.value())["time"]
        found.append((dict(message.headers())[SOURCE].decode(), message.value()))
    return found


def test_two_workers_count_every_event_once_and_a_replay_of_the_same_topics_gives_the_same_histories(
    rekeying: Settings,
) -> None:
    first, more = events(0, 300), events(300, 200)
    with working_together(rekeying, ["a", "b"]) as workers:
        one, two = workers
        one.wait(lambda: bool(one.status()["numbers"]) and bool(two.status()["numbers"]))
        publish_anyhow(rekeying, first)
        for worker in workers:
            worker.wait_until_applied()
        live = histories(one, rekeying.namespace)
        assert {user: len(history) for user, history in live.items()} == expected(first)
        reports = [worker.status() for worker in workers]
        assert all(report["events_applied"] for report in reports)
        assert sum(report["events_applied"] for report in reports) == len(first)
        assert not any(report["dead_letters"] or report["duplicates"] for report in reports)
        sent = [*forwarded(rekeying, CLICKS), *forwarded(rekeying, RATINGS)]
        assert len({source for source, _ in sent}) == len(sent) == sum(report["events_rekeyed"] for report in reports)
        assert {value for _, value in sent} < {encode(event) for event in first}
        # A replay takes strays from where they lie, whatever the live workers forward meanwhile.
        beside = msgspec.structs.replace(rekeying, namespace=f"{rekeying.namespace}-next")
        report = replay(beside, Wishes())
        assert (report.events, report.duplicates, report.refused) == (len(first), 0, {})
        assert histories(one, beside.namespace) == live
        publish_anyhow(rekeying, more)
        for worker in workers:
            worker.wait_until_applied()
            worker.stop()
    with working(beside) as follower:
        follower.wait_until_applied()
        assert follower.status()["events_applied"] == len(more)
        assert histories(follower, beside.namespace) == histories(one, rekeying.namespace)
        assert sum(map(len, histories(follower, beside.namespace).values())) == len(first) + len(more)


def test_what_a_crash_forwards_twice_is_counted_once(rekeying: Settings) -> None:
    some = events(0, 60)
    ensure_topics(rekeying)
    publish_anyhow(rekeying, some)
    with working(rekeying) as worker:
        worker.kill()
        worker.start("after:flush")
        assert worker.process.wait(TIMEOUT_S) == EXIT_STATUS
        worker.start()
        worker.wait_until_applied()
        sources = [source for topic in (CLICKS, RATINGS) for source, _ in forwarded(rekeying, topic)]
        assert len(sources) > len(set(sources))
        counted = histories(worker, rekeying.namespace)
        assert {user: len(history) for user, history in counted.items()} == expected(some)
        assert worker.status()["learned"] == len(some)
        assert worker.status()["dead_letters"] == 0
