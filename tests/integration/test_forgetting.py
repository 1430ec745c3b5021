"""People who wish to be forgotten, through a real worker: nothing of them remains, and nothing brings it back."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest
from confluent_kafka import Producer

from contracts.events import Click, Rating, User
from contracts.marks import End, Mark, Wish, encode_mark, person
from contracts.topics import MARKS, USERS, partition_of, topic_name
from infra.settings import Settings
from streams.deadletters.letters import read as read_letters
from streams.forgetting.marks import Marks
from tests.worker import Worker, ends, publish, raw_producer, working

ANN, BOB = "ann-5c1e", "bob-77a0"
"""Ids too long to stand by chance in the bytes of a state."""
FILMS = [f"film{number}" for number in range(40)]


def history(user: str, films: range, start: int = 1_000_000) -> Iterator[Click | Rating]:
    """Clicks and ratings of some films."""
    for number in films:
        if number % 3:
            yield Click(user, FILMS[number], start + number)
        else:
            yield Rating(user, FILMS[number], 4.0, start + number)


def crowd() -> list[Click | Rating]:
    return [event for user in range(12) for event in history(f"u{user}", range(user, user + 20))]


def holding(worker: Worker, user: str) -> list[str]:
    """Every key of the test's Redis whose name or value holds a user's id."""
    store, found = worker.store, []
    reading = {
        b"string": store.get, b"hash": store.hgetall, b"set": store.smembers,
        b"zset": lambda key: store.zrange(key, 0, -1), b"list": lambda key: store.lrange(key, 0, -1),
    }  # fmt: skip
    for key in store.scan_iter(f"{worker.settings.redis.prefix}:*", count=1000):
        read = reading.get(store.type(key), lambda _: b"")  # gone since
        if user in repr(key) or user in repr(read(key)):
            found.append(key.decode())
    return found


def forgotten(worker: Worker, n: int = 1) -> bool:
    return bool(worker.status().get("users_forgotten", 0) >= n)


def state_of(worker: Worker, user: str) -> bytes | None:
    home = partition_of(user, worker.settings.kafka.partitions)
    state: bytes | None = worker.store.get(worker.keys.state(home, user))
    return state


def test_nothing_of_who_is_forgotten_remains_and_he_starts_anew(settings: Settings) -> None:
    with working(settings) as worker:
        publish(settings, *crowd(), User(ANN, attributes={"likes": "crime"}), *history(ANN, range(25)))
        publish(settings, *history("ann-5", range(25)))  # whose id begins alike
        worker.wait_until_fresh(ANN, "ann-5")
        worker.wait(lambda: state_of(worker, ANN) is not None and worker.store.exists(worker.keys.user_vector(ANN)))
        publish(settings, User(ANN, forget=True))
        worker.wait(lambda: not holding(worker, ANN))
        assert worker.list_of("ann-5")["items"]
        publish(settings, Click(ANN, FILMS[3]))
        worker.wait_until_fresh(ANN)
        found = worker.list_of(ANN)
        assert set(FILMS) - {FILMS[3]} >= set(found["items"]) >= {FILMS[0], FILMS[24]}
        assert "ratings" not in found
        worker.kill()
        worker.start()
        publish(settings, Click(ANN, FILMS[4]))
        worker.wait_until_fresh(ANN)
        assert FILMS[0] in worker.list_of(ANN)["items"]
        worker.stop()


def test_a_worker_that_reads_everything_again_skips_what_came_before(settings: Settings) -> None:
    with working(settings) as worker:
        publish(settings, *crowd(), *history(ANN, range(25)), User(ANN, forget=True))
        worker.wait(lambda: forgotten(worker))
        publish(settings, Click(ANN, FILMS[30]), Rating("never", FILMS[1], 3.0))
        worker.wait_until_applied()
        state = state_of(worker, ANN)
        worker.stop()
        for partition in range(settings.kafka.partitions):
            for topic in ("clicks", "ratings", "users"):
                worker.store.hset(worker.keys.applied(partition), f"{settings.kafka.prefix}.{topic}", 0)
        for key in worker.store.scan_iter(f"{settings.redis.prefix}:{settings.namespace}:state:*"):
            worker.store.delete(key)
        worker.start()
        worker.wait_until_applied()
        assert worker.status()["events_of_forgotten"] >= 25
        worker.wait(lambda: state_of(worker, ANN) == state)


def test_every_namespace_forgets_and_one_whose_worker_comes_later_keeps_what_he_did_since(
    settings: Settings, tmp_path: Path
) -> None:
    late = msgspec.structs.replace(settings, namespace=f"{settings.namespace}-2", home=str(tmp_path / "late"))
    with working(late) as other:
        publish(settings, *crowd(), *history(ANN, range(25)))
        other.wait_until_fresh(ANN)
        other.wait_until_applied()
        other.stop()
        with working(settings) as worker:
            worker.wait_until_applied()
            publish(settings, User(ANN, forget=True))
            worker.wait(lambda: forgotten(worker) and state_of(worker, ANN) is None)
            assert state_of(other, ANN)
            publish(settings, *(Click(ANN, FILMS[number]) for number in (30, 31, 32)))
            worker.wait_until_applied()
            other.start()
            other.wait_until_fresh(ANN)
            other.wait_until_applied()
            assert other.list_of(ANN)["items"]
            other.wait(lambda: state_of(other, ANN) == state_of(worker, ANN))
            assert FILMS[0] in other.list_of(ANN)["items"]
            assert not {FILMS[30], FILMS[31], FILMS[32]} & set(other.list_of(ANN)["items"])


def test_a_worker_that_died_between_the_mark_and_the_deleting_goes_on_with_the_same_mark(settings: Settings) -> None:
    with working(settings) as worker:
        publish(settings, *crowd(), *history(ANN, range(25)))
        worker.wait_until_applied()
        worker.wait(lambda: state_of(worker, ANN) is not None)
        worker.kill()
        publish(settings, User(ANN, forget=True))
        marks, home = Marks.read(settings), partition_of(ANN, settings.kafka.partitions)
        reached = {topic: ends(settings, None, topic).get(f"{topic}/{home}", 0) for topic in marks.ids}
        users = topic_name(USERS, settings.kafka.prefix, settings.namespace)
        mark = Mark(
            1, 1, home, {topic: End(marks.ids[topic], end) for topic, end in reached.items()},
            Wish(users, marks.ids[users], home, reached[users] - 1),
        )  # fmt: skip
        producer = raw_producer(settings)
        producer.produce(
            topic_name(MARKS, settings.kafka.prefix, settings.namespace),
            encode_mark(mark),
            person(ANN, marks.salt or b""),
        )
        producer.flush()
        publish(settings, Click(ANN, FILMS[30]))
        worker.start()
        worker.wait_until_applied()
        worker.wait(lambda: bool(worker.list_of(ANN)) and FILMS[0] in worker.list_of(ANN)["items"])
        assert FILMS[30] not in worker.list_of(ANN)["items"]
        assert Marks.read(settings).of(ANN) == mark


def test_an_empty_message_is_the_same_wish_and_kafka_is_left_an_empty_message(settings: Settings) -> None:
    topic = topic_name(USERS, settings.kafka.prefix, settings.namespace)
    with working(settings) as worker:
        publish(settings, *history(ANN, range(5)))
        worker.wait_until_fresh(ANN)
        producer: Producer = raw_producer(settings)
        producer.produce(topic, None, ANN)
        producer.flush()
        worker.wait(lambda: not holding(worker, ANN) and forgotten(worker))
        # The worker's own empty message is no second wish.
        place = f"{topic}/{partition_of(ANN, settings.kafka.partitions)}"
        worker.wait(lambda: ends(settings, USERS)[place] == 2 and worker.applied().get(place) == 2)
        publish(settings, Click(ANN, FILMS[7]))
        worker.wait_until_applied()
        assert worker.status()["users_forgotten"] == 1
        assert state_of(worker, ANN)
        assert ends(settings, USERS)[place] == 2


def test_dead_letters_of_who_is_forgotten_are_not_shown(settings: Settings) -> None:
    with working(settings) as worker:
        topic = f"{settings.kafka.prefix}.clicks"
        producer = raw_producer(settings)
        for user in (ANN, "bob"):
            producer.produce(topic, b"not JSON", user)
            producer.produce(topic, f'{{"user":"{user}","item":"i"}}', "another")
        producer.flush()
        worker.wait(lambda: worker.status().get("dead_letters") == 4)
        publish(settings, User(ANN, forget=True))
        worker.wait(lambda: forgotten(worker))
        producer.produce(topic, b"nor this", ANN)
        producer.flush()
        worker.wait(lambda: worker.status().get("dead_letters") == 5)
        shown = [letter.value for letter in read_letters(settings)]
        assert sorted(value or b"" for value in shown) == [b"nor this", b"not JSON", b'{"user":"bob","item":"i"}']


@pytest.mark.parametrize("ending", ["stop", "kill"])
def test_an_item_that_is_taken_back_may_be_recommended_again_and_counts_anew(settings: Settings, ending: str) -> None:
    seen = list(history(ANN, range(10)))
    with working(settings) as worker:
        publish(settings, *crowd(), *seen)
        worker.wait_until_fresh(ANN)
        assert FILMS[4] not in worker.list_of(ANN)["items"]
        publish(settings, Click(ANN, FILMS[4], type="undo"))
        worker.wait(lambda: FILMS[4] in worker.list_of(ANN)["items"])
        worker.wait_until_applied()
        worker.stop() if ending == "stop" else worker.kill()
        worker.start()
        publish(settings, seen[5])
        before = worker.wait_until_applied()["learned"]
        assert FILMS[4] in worker.list_of(ANN)["items"]
        publish(settings, seen[4])
        worker.wait_until_fresh(ANN)
        assert FILMS[4] not in worker.list_of(ANN)["items"]
        assert worker.wait_until_applied()["learned"] == before + 1


def test_who_takes_back_all_that_he_did_has_no_list(settings: Settings) -> None:
    with working(settings) as worker:
        publish(settings, *crowd(), Click(ANN, FILMS[4]))
        worker.wait_until_fresh(ANN)
        publish(settings, Click(ANN, FILMS[4], type="undo"))
        worker.wait(lambda: worker.list_of(ANN) == {})
