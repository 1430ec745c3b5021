"""From an item's record to hashed terms: words, and where a script has no spaces, pairs of characters.

Every field has terms of its own, so that the category "war" is not the word "war" of a title. Of the words of titles
also the runs of four characters count, a little: they join compounds and inflections with each other. Within a field a
term counts ``1 + ln(occurrences)``; fields weigh the same however many terms they have, so a long text does not drown
the categories.
"""

from __future__ import annotations

import math
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator

import msgspec
import numpy as np
import xxhash

from contracts.events import Item
from contracts.learning import TERMS, Introduction

_VERSION = 1  # of the way in which terms are made: raised, all items are introduced again
UNIT = 200
"""A weight of 1 is written as so much."""
_FIELDS = {"category": 1.0, "title": 1.0, "tag": 0.5, "gram": 0.5, "text": 0.3}
_GRAM = 4
# The start of a text says what it is about; a whole book must not stop the events behind it.
_READ = 2000
_LABELS = 100

# Scripts without spaces between words: Han, Kana, Thai, Lao, Burmese, Khmer.
_UNSPACED = (
    r"\u3005\u3041-\u3096\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
    r"\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\U00020000-\U0003ffff"
)
# Signs that stand on letters, which Python does not count as parts of words: Latin, Hebrew, Arabic, Indic.
_SIGNS = r"\u0300-\u036f\u0591-\u05c7\u0610-\u061a\u064b-\u065f\u0670\u0900-\u0963\u0966-\u0dff"
_TOKENS = re.compile(rf"([{_UNSPACED}]+)|((?:(?![{_UNSPACED}_])[\w{_SIGNS}])+)")


def digest(item: Item) -> int:
    """Return a 64-bit hash of an item's content, 0 when it has none; another one where terms are made another way."""
    content = (item.title, item.categories, item.tags, item.text)
    return xxhash.xxh3_64_intdigest(msgspec.msgpack.encode((_VERSION, content))) if any(content) else 0


def introduce(item: Item) -> Introduction:
    """Return what the learning log is told of an item: the strongest terms, of equal ones those that come first."""
    strengths = _strengths(item)
    best = sorted(strengths, key=lambda term: -strengths[term])[:TERMS]
    weights: dict[int, int] = {}
    for term in best:
        weights.setdefault(xxhash.xxh32_intdigest(term), max(1, round(UNIT * strengths[term])))
    hashes = np.fromiter(weights, "<u4", len(weights)).tobytes()
    return Introduction(str(item.item), digest(item), hashes, bytes(weights.values()), item.created)


def _strengths(item: Item) -> dict[str, float]:
    title = list(_tokens(item.title or ""))
    fields = {
        "category": _labels(item.categories),
        "title": title,
        "tag": _labels(item.tags),
        "gram": _grams(title),
        "text": _tokens(item.text or ""),
    }
    strengths: dict[str, float] = {}
    for name, tokens in fields.items():
        counts = {token: 1.0 + math.log(n) for token, n in Counter(tokens).items()}
        scale = _FIELDS[name] / math.sqrt(sum(count * count for count in counts.values()) or 1.0)
        for token, count in counts.items():
            strengths[f"{name} {token}"] = scale * count
    return strengths


def _labels(labels: list[str]) -> Iterator[str]:
    """Yield each label whole, and its words where it has several."""
    for label in labels[:_LABELS]:
        words = list(_tokens(label))
        if words:
            yield " ".join(words)
        if len(words) > 1:
            yield from words


def _grams(words: Iterable[str]) -> Iterator[str]:
    for word in words:
        bounded = f"<{word}>"
        for start in range(len(bounded) - _GRAM + 1):
            yield bounded[start : start + _GRAM]


def _tokens(text: str) -> Iterator[str]:
    """Yield words, and the pairs of neighbours where words are not parted."""
    for run, word in _TOKENS.findall(unicodedata.normalize("NFKC", text[:_READ]).casefold()):
        if word or len(run) == 1:
            yield word or run
        else:
            for start in range(len(run) - 1):
                yield run[start : start + 2]
