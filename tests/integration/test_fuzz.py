"""Rubbish among good events: every good one counts, every bad one is set aside with its reason, nothing grows."""

from __future__ import annotations

import random
from collections import Counter

import orjson

from contracts.topics import partition_of
from infra.settings import Settings
from streams.deadletters.letters import read
from tests.worker import raw_producer, working

N = 10_000
DAY_MS = 24 * 3600 * 1000

# Name of the fault → (key, value, reason) of a message that has it, for a random number.
FAULTS = {
    "truncated": lambda r: (b"u", b'{"user":"u","item":"i"}'[: r.randrange(22)], "malformed"),
    "no value": lambda r: (b"u", None, "malformed"),
    "not JSON": lambda r: (b"u", b"\xff" + r.randbytes(40), "malformed"),
    "NaN": lambda r: (b"u", b'{"user":"u","item":"i","value":NaN}', "malformed"),
    "UTF-16": lambda r: (b"u", '{"user":"u","item":"i"}'.encode("utf-16"), "malformed"),
    "latin-1": lambda r: (b"u", '{"user":"u","item":"é"}'.encode("latin-1"), "malformed"),
    "array": lambda r: (b"u", b'[{"user":"u","item":"i"}]', "invalid"),
    "deep array": lambda r: (b"u", b"[" * r.randrange(1, 5000), "invalid"),
    "number": lambda r: (b"u", str(r.random()).encode(), "invalid"),
    "no item": lambda r: (b"u", b'{"user":"u"}', "invalid"),
    "user is a list": lambda r: (b"u", b'{"user":["u"],"item":"i"}', "invalid"),
    "item is null": lambda r: (b"u", b'{"user":"u","item":null}', "invalid"),
    "time is text": lambda r: (b"u", b'{"user":"u","item":"i","time":"now"}', "invalid"),
    "time has a fraction": lambda r: (b"u", b'{"user":"u","item":"i","time":1.5}', "invalid"),
    "time too large": lambda r: (b"u", b'{"user":"u","item":"i","time":1' + b"0" * 30 + b"}", "bad time"),
    "time before 1970": lambda r: (b"u", b'{"user":"u","item":"i","time":-%d}' % r.randrange(1, 10**12), "bad time"),
    "time in 2100": lambda r: (b"u", b'{"user":"u","item":"i","time":4102444800000}', "bad time"),
    "empty user": lambda r: (b"", b'{"user":"","item":"i"}', "bad id"),
    "empty item": lambda r: (b"u", b'{"user":"u","item":""}', "bad id"),
    "huge item": lambda r: (b"u", b'{"user":"u","item":"' + b"x" * r.randrange(257, 20000) + b'"}', "bad id"),
    "huge user": lambda r: (b"u", b'{"user":"' + "é".encode() * 129 + b'","item":"i"}', "bad id"),
    "unknown type": lambda r: (b"u", b'{"user":"u","item":"i","type":"sneeze"}', "unknown type"),
    "null key": lambda r: (None, b'{"user":"u","item":"i"}', "key is not the user"),
    "another's key": lambda r: (b"v", b'{"user":"u","item":"i"}', "key is not the user"),
}


def test_good_events_count_and_bad_ones_are_set_aside_with_their_reason(settings: Settings) -> None:
    rng = random.Random(1)
    producer = raw_producer(settings)
    topic = f"{settings.kafka.prefix}.clicks"
    reasons: Counter[str] = Counter()
    with working(settings) as worker:
        for number in range(N):
            fault = rng.choice(list(FAULTS))
            key, value, reason = FAULTS[fault](rng)
            # A message without a key goes anywhere, as a client would send it.
            where = {} if key is None else {"partition": partition_of(key.decode(), settings.kafka.partitions)}
            producer.produce(topic, value, key, **where)
            reasons[reason] += 1
            good = {"user": f"good{number % 50}", "item": f"i{number % 997}", "time": number}
            producer.produce(topic, orjson.dumps(good), key=str(good["user"]))
            producer.poll(0)
        producer.flush()
        status = worker.wait_until_applied()
        assert status["events_applied"] == N
        assert status["dead_letters_by_reason"] == dict(reasons)
        worker.wait(lambda: worker.status()["lag"] == 0)
        # Users and items that only bad events named must have left no trace.
        assert status["resident_users"] == 50
        assert status["items"] == 997
        worker.stop()
    letters = list(read(settings))
    assert Counter(letter.reason for letter in letters) == reasons
    assert len({letter.source for letter in letters}) == N
    assert all(letter.detail for letter in letters)
