"""What the learning log is told of an item's content: its strongest terms, see :mod:`contracts.terms`."""

from __future__ import annotations

import msgspec
import numpy as np
import xxhash

from contracts.events import Item
from contracts.learning import TERMS, Introduction
from contracts.terms import strengths, term_hash

_VERSION = 1  # of the way in which terms are made: raised, all items are introduced again
UNIT = 200
"""A weight of 1 is written as so much."""


def digest(item: Item) -> int:
    """Return a 64-bit hash of an item's content, 0 when it has none; another one where terms are made another way."""
    content = (item.title, item.categories, item.tags, item.text)
    return xxhash.xxh3_64_intdigest(msgspec.msgpack.encode((_VERSION, content))) if any(content) else 0


def introduce(item: Item) -> Introduction:
    """Return what the learning log is told of an item: the strongest terms, of equal ones those that come first."""
    found = strengths(item)
    best = sorted(found, key=lambda term: -found[term])[:TERMS]
    weights: dict[int, int] = {}
    for term in best:
        weights.setdefault(term_hash(term), max(1, round(UNIT * found[term])))
    hashes = np.fromiter(weights, "<u4", len(weights)).tobytes()
    return Introduction(str(item.item), digest(item), hashes, bytes(weights.values()), item.created)
