"""Hash slots of a Redis Cluster: where a key lies, and a name for what must lie in a given one. Pure."""

from __future__ import annotations

from functools import cache
from itertools import count

from redis.crc import REDIS_CLUSTER_HASH_SLOTS as SLOTS
from redis.crc import key_slot


def slot_of(key: str) -> int:
    """Return the hash slot of a key, 0 to 16,383."""
    return key_slot(key.encode())


@cache
def tags() -> tuple[str, ...]:
    """Return for each slot the smallest number whose digits hash to it: as a hash tag it places a key there.

    Examples
    --------
    >>> slot_of("{" + tags()[77] + "}") == 77
    True
    """
    found: list[str | None] = [None] * SLOTS
    left = SLOTS
    for number in count():
        tag = str(number)
        slot = slot_of(tag)
        if found[slot] is None:
            found[slot] = tag
            left -= 1
            if not left:
                break
    return tuple(tag for tag in found if tag is not None)
