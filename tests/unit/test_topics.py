"""Keys go to the partitions that every other Kafka client gives them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts.topics import LEARNING, PUBLIC, REKEYED, murmur2, partition_of, topic_name


@pytest.mark.parametrize(
    ("key", "signed"),
    # Apache Kafka, UtilsTest.testMurmur2.
    [
        (b"21", -973932308),
        (b"foobar", -790332482),
        (b"a-little-bit-long-string", -985981536),
        (b"a-little-bit-longer-string", -1486304829),
        (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        (b"abc", 479470107),
    ],
)
def test_murmur2_is_kafkas(key: bytes, signed: int) -> None:
    assert murmur2(key) == signed & 0x7FFFFFFF


@given(st.binary(max_size=50))
def test_murmur2_is_an_unsigned_31_bit_number(key: bytes) -> None:
    assert 0 <= murmur2(key) < 2**31


@given(st.text(st.characters(exclude_categories=["Cs"]), max_size=20), st.integers(1, 1000))
def test_every_key_has_a_partition(key: str, partitions: int) -> None:
    assert partition_of(key, partitions) == murmur2(key.encode()) % partitions


def test_names_are_distinct_and_only_what_workers_write_for_themselves_belongs_to_a_namespace() -> None:
    own = (LEARNING, *REKEYED.values())
    names = [topic_name(topic, "headrace", "main") for topic in (*PUBLIC, *own)]
    assert len(set(names)) == len(names)
    assert all(topic_name(topic, "headrace", "b") == f"headrace.b.{topic.name}" for topic in own)
    assert all(topic_name(topic, "headrace", "b") == f"headrace.{topic.name}" for topic in PUBLIC)


def test_user_keyed_topics_share_their_number_of_partitions() -> None:
    assert {topic.partitions for topic in (*PUBLIC, *REKEYED.values()) if topic.key == "user"} == {None}
