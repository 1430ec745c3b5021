"""A replay from the beginning after people were forgotten: nothing of them comes back, and who returned starts anew."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec
import orjson

from contracts.events import Click, Rating, User, item_key
from contracts.marks import End, Mark, Wish, encode_mark, person, salt_key
from contracts.redis import Keys
from contracts.topics import MARKS, USERS, partition_of, topic_name
from infra.redis import connect
from infra.settings import Settings
from models.user_state import decode_state
from streams.forgetting.marks import Marks, now_ms
from streams.kafka.admin import ensure_topics
from streams.kafka.whole import next_offsets
from streams.learning.checkpoints import Checkpoints
from streams.replaying.replay import Wishes, replay
from tests.worker import publish, raw_producer

GONE, BACK, UNDOING = "gone-7d02", "back-7d02", "undoing-7d02"
FILMS = [f"film{number}" for number in range(40)]
SALT = b"salt of this test"


def history(user: str, films: range) -> Iterator[Click | Rating]:
    """Clicks and ratings of some films."""
    for number in films:
        time = 1_000_000 + number
        yield Click(user, FILMS[number], time) if number % 3 else Rating(user, FILMS[number], 4.0, time)


def forget(settings: Settings, *users: str) -> None:
    """Make marks as a worker would: of all that was published until now."""
    marks = Marks.read(settings)
    wished = topic_name(USERS, settings.kafka.prefix, settings.namespace)
    reached = next_offsets(settings, marks.ids)
    producer, topic = raw_producer(settings), topic_name(MARKS, settings.kafka.prefix, settings.namespace)
    producer.produce(topic, b"{}", salt_key(SALT))
    for user in users:
        home = partition_of(user, settings.kafka.partitions)
        ends = {name: End(id_, reached[name][home]) for name, id_ in marks.ids.items()}
        wish = Wish(wished, marks.ids[wished], home, reached[wished][home] - 1)
        producer.produce(topic, encode_mark(Mark(now_ms(), now_ms(), home, ends, wish)), person(user, SALT))
    producer.flush()


def holding(settings: Settings, user: str) -> list[str]:
    """Every key of the test's Redis whose name or value holds a user's id."""
    store, found = connect(settings.redis.url), []
    reading = {
        b"string": store.get, b"hash": store.hgetall, b"set": store.smembers,
        b"zset": lambda key: store.zrange(key, 0, -1), b"list": lambda key: store.lrange(key, 0, -1),
    }  # fmt: skip
    for key in store.scan_iter(f"{settings.redis.prefix}:*", count=1000):
        if user in repr(key) or user in repr(reading[store.type(key)](key)):
            found.append(key.decode())
    return found


def test_a_replay_brings_nothing_of_the_forgotten_back_and_serves_who_returned_from_what_came_after(
    settings: Settings,
) -> None:
    ensure_topics(settings)
    crowd = [event for user in range(12) for event in history(f"u{user}", range(user, user + 20))]
    past = [event for user in (GONE, BACK) for event in history(user, range(25))]
    told = [User(user, attributes={"likes": "crime"}) for user in (GONE, BACK)]
    wishes = [User(user, forget=True) for user in (GONE, BACK)]
    publish(settings, *crowd, *told, *past, Click(GONE, "his alone", 1_000_100), *wishes)
    forget(settings, GONE, BACK)
    since = [Click(BACK, FILMS[number]) for number in (30, 31)]
    publish(settings, *since, *history(UNDOING, range(10)), Click(UNDOING, FILMS[4], type="undo"))

    target = msgspec.structs.replace(settings, namespace=f"{settings.namespace}-2")
    report = replay(target, Wishes(score_every=20))

    assert report.phase == "done"
    assert report.skipped == len(past) + 1
    assert holding(settings, GONE) == []
    checkpoint = Checkpoints(target.checkpoints, print).read()
    assert checkpoint is not None
    learned = dict(zip(checkpoint["catalogue"]["ids"], checkpoint["catalogue"]["events"].tolist(), strict=True))
    assert "his alone" not in learned
    assert sum(learned.values()) == len(crowd) + len(since) + 10  # and what others learned from them is gone too

    store, keys = connect(settings.redis.url), Keys(target.namespace, settings.redis.prefix)

    def known(user: str) -> tuple[set[int], set[str]]:
        """What a user has had by his state, and what is on his list."""
        home = partition_of(user, settings.kafka.partitions)
        state, shown = store.get(keys.state(home, user)), store.get(keys.top(user))
        assert state is not None
        assert shown is not None
        return set(decode_state(state).seen.tolist()), set(orjson.loads(shown)["items"])

    had, shown = known(BACK)
    assert had == {item_key(FILMS[number]) for number in (30, 31)}
    assert {FILMS[0], FILMS[24]} <= shown <= set(FILMS) - {FILMS[30], FILMS[31]}
    had, shown = known(UNDOING)
    assert had == {item_key(FILMS[number]) for number in range(10) if number != 4}
    assert FILMS[4] in shown
    assert not shown & {FILMS[3], FILMS[5]}
