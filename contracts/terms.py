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
from collections.abc import Collection, Iterable, Iterator

import xxhash

from contracts.events import Item

_FIELDS = {"category": 1.0, "title": 1.0, "tag": 0.5, "gram": 0.5, "text": 0.3}
_FOUND_BY = ("category", "title", "tag", "text")
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


def indexed(item: Item, most: int) -> dict[int, float]:
    """Return hash → strength of the terms by which an item is found by free words: the strongest, of runs none."""
    if item.deleted or not most:
        return {}
    found = strengths(item, _FOUND_BY)
    return {term_hash(term): round(found[term], 3) for term in sorted(found, key=lambda term: -found[term])[:most]}


def term_hash(term: str) -> int:
    """Return the 32-bit hash of a term, which is a field and a token: ``"category war"``."""
    return xxhash.xxh32_intdigest(term)


def strengths(item: Item, fields: Collection[str] = tuple(_FIELDS)) -> dict[str, float]:
    """Return the terms of some fields of an item, and how strong each is."""
    title = list(tokens(item.title or ""))
    said = {
        "category": _labels(item.categories),
        "title": title,
        "tag": _labels(item.tags),
        "gram": _grams(title),
        "text": tokens(item.text or ""),
    }
    found: dict[str, float] = {}
    for name in fields:
        counts = {token: 1.0 + math.log(n) for token, n in Counter(said[name]).items()}
        scale = _FIELDS[name] / math.sqrt(sum(count * count for count in counts.values()) or 1.0)
        for token, count in counts.items():
            found[f"{name} {token}"] = scale * count
    return found


def _labels(labels: list[str]) -> Iterator[str]:
    """Yield each label whole, and its words where it has several."""
    for label in labels[:_LABELS]:
        words = list(tokens(label))
        if words:
            yield " ".join(words)
        if len(words) > 1:
            yield from words


def _grams(words: Iterable[str]) -> Iterator[str]:
    for word in words:
        bounded = f"<{word}>"
        for start in range(len(bounded) - _GRAM + 1):
            yield bounded[start : start + _GRAM]


def tokens(text: str) -> Iterator[str]:
    """Yield words, and the pairs of neighbours where words are not parted."""
    for run, word in parts(text):
        if word:
            yield word
        else:
            yield from pairs(run)


def parts(text: str) -> list[tuple[str, str]]:
    """Return the parts of a text in one spelling, in order: each a run of a script without spaces, or a word."""
    found: list[tuple[str, str]] = _TOKENS.findall(unicodedata.normalize("NFKC", text[:_READ]).casefold())
    return found


def pairs(run: str) -> list[str]:
    """Return the pairs of neighbours of a run; a single character is one itself."""
    return [run[start : start + 2] for start in range(len(run) - 1)] or [run]
