"""Every topic: what it carries, its key, how long it is kept, who writes and who reads it."""

from __future__ import annotations

from dataclasses import dataclass

FOREVER = -1
DAY_MS = 24 * 3600 * 1000


@dataclass(frozen=True)
class Topic:
    """One Kafka topic of the contract.

    Parameters
    ----------
    name : str
        Name after the prefix, e.g. ``"clicks"``.
    key : str
        What the message key is: ``"user"``, ``"item"``, ``"source"``, ``"hash"`` (of a user) or ``"none"``.
    cleanup : str
        Kafka's ``cleanup.policy``: ``"delete"`` or ``"compact"``.
    retention_ms : int
        Kafka's ``retention.ms``; -1 keeps for ever.
    partitions : int or None
        ``None`` means the operator's number, which all user-keyed topics share: that is what keeps a user's clicks and
        ratings on one worker.
    writers, readers : str
        In words, for the documentation.
    namespaced : bool
        Whether each namespace has its own.
    """

    name: str
    key: str
    cleanup: str
    retention_ms: int
    partitions: int | None
    writers: str
    readers: str
    namespaced: bool = False


CLICKS = Topic("clicks", "user", "delete", FOREVER, None, "your programs", "workers, replay")
RATINGS = Topic("ratings", "user", "delete", FOREVER, None, "your programs", "workers, replay")
IMPRESSIONS = Topic("impressions", "user", "delete", FOREVER, None, "your programs", "workers, replay")
ITEMS = Topic("items", "item", "compact", FOREVER, None, "your programs", "every worker, whole")
USERS = Topic("users", "user", "compact", FOREVER, None, "your programs", "workers")
DEADLETTERS = Topic("deadletters", "source", "delete", 30 * DAY_MS, 1, "workers", "headrace deadletters")
MARKS = Topic("marks", "hash", "compact", FOREVER, 1, "workers", "every worker, whole; replay")
# Kept longer than any checkpoint, because a worker's model is its checkpoint and the log after it.
LEARNING = Topic("learning", "none", "delete", 30 * DAY_MS, 1, "workers", "every worker, whole, in order", True)
# With `kafka.rekey`. A namespace's own, because each group forwards what it comes to: a replay of the originals beside
# another namespace's workers must not meet what these forward. For ever, because messages keep their old time stamps.
REKEYED_CLICKS = Topic("rekeyed.clicks", "user", "delete", FOREVER, None, "workers", "workers", True)
REKEYED_RATINGS = Topic("rekeyed.ratings", "user", "delete", FOREVER, None, "workers", "workers", True)

PUBLIC = (CLICKS, RATINGS, IMPRESSIONS, ITEMS, USERS, DEADLETTERS, MARKS)
REKEYED = {CLICKS: REKEYED_CLICKS, RATINGS: REKEYED_RATINGS}
"""Where events go that lie on another partition than their user's."""


def topic_name(topic: Topic, prefix: str, namespace: str) -> str:
    """Return the topic's full name: of a namespace, or of the whole deployment."""
    return f"{prefix}.{namespace}.{topic.name}" if topic.namespaced else f"{prefix}.{topic.name}"


def murmur2(data: bytes) -> int:
    """Return Kafka's murmur2 hash of a key (the Java client's default partitioner), as an unsigned 31-bit number.

    References
    ----------
    Apache Kafka, ``org.apache.kafka.common.utils.Utils.murmur2`` with ``toPositive``.
    """
    m, mask, length = 0x5BD1E995, 0xFFFFFFFF, len(data)
    h = 0x9747B28C ^ length
    for i in range(0, length - length % 4, 4):
        k = int.from_bytes(data[i : i + 4], "little") * m & mask
        k = (k ^ k >> 24) * m & mask
        h = (h * m & mask) ^ k
    tail = data[length - length % 4 :]
    if tail:
        h = (h ^ int.from_bytes(tail, "little")) * m & mask
    h = (h ^ h >> 13) * m & mask
    return (h ^ h >> 15) & 0x7FFFFFFF


def partition_of(key: str, partitions: int) -> int:
    """Return the partition that the murmur2 partitioner gives a key."""
    return murmur2(key.encode()) % partitions
