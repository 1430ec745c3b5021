"""Free words to a list: the items whose records say what the words mean, best first.

An item's score is the sum, over what the text is about, of how rare that is times how strongly the item has it, times
the share of these things that it has at all:

    score(x) = (matched / m) · Σ_j idf_j · max_t strength(t, x),    idf_j = ln(1 + 10 · df_max / df_j)

with t over the terms of the j-th meaning and df_j its items. A name of a kind of things counts a fifth where it is but
a word of a title or a text: "The Addams Family" is no film for families. That is TF-IDF with a coordination factor
(Manning, Raghavan and Schütze, Introduction to Information Retrieval, 6.2 and 7.1.4); rarity is relative to the
commonest thing that is asked for, so that nobody need count all items. Of equal scores the more popular item comes
first.

However large the catalogue, a request reads at most :data:`POSTINGS` entries of the index, of each term those in which
it is strongest, and looks the others up only for the items found so.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import chain

from contracts.redis import Keys
from contracts.terms import term_hash, tokens
from serving.reading.reader import Reader
from serving.search.lexicon import Lexicon, Meaning

POSTINGS = 20_000
MAX_TEXT = 500
"""Characters of a text, at most."""
_LABELS, _WORDS = ("category", "tag"), ("title", "text")
_MENTIONED = 0.2
_EACH = 2000
_LOOKED_UP = 2000  # items whose strength is looked up in one term
_KEPT = 1000
_POPULAR = "popular"
_CATEGORIES = 8  # whose lists are read for popularity


async def search(reader: Reader, keys: Keys, text: str, lexicon: Lexicon) -> list[tuple[str, float]]:
    """Return (item, score) of what fits a text, best first, at most a thousand; empty where nothing does."""
    meanings = lexicon.meanings(text[:MAX_TEXT])
    wanted = [_terms(meaning) for meaning in meanings]
    terms = sorted({term for own in wanted for term in own})
    found = zip(terms, await reader.term_sizes(terms, keys), strict=True)
    sizes = {term: size for term, size in found if size}
    if not sizes:
        return []
    strengths = await _strengths(reader, keys, sizes)
    scores = ranked(wanted, sizes, strengths)
    popular = await _popularity(reader, keys, meanings)
    order = sorted(scores, key=lambda item: (-scores[item], -popular.get(item, 0.0), item))
    return [(item, scores[item]) for item in order[:_KEPT]]


def ranked(
    wanted: Sequence[Mapping[int, float]], sizes: Mapping[int, int], strengths: Mapping[int, Mapping[str, float]]
) -> dict[str, float]:
    """Return the score of each item, see the module's docstring.

    Parameters
    ----------
    wanted : sequence of mappings of int to float
        Of each meaning its terms, and how much each counts.
    sizes : mapping of int to int
        Term → items that have it; terms without any are missing.
    strengths : mapping of int to mapping
        Term → item → how strong it is.
    """
    spread = [sum(sizes.get(term, 0) for term in terms) for terms in wanted]
    commonest = max(spread, default=0)
    scores: dict[str, float] = {}
    matched: dict[str, int] = {}
    for terms, df in zip(wanted, spread, strict=True):
        best: dict[str, float] = {}
        for term, counts in terms.items():
            for item, strength in strengths.get(term, {}).items():
                best[item] = max(counts * strength, best.get(item, 0.0))
        for item, strength in best.items():
            scores[item] = scores.get(item, 0.0) + strength * math.log1p(10 * commonest / df)
            matched[item] = matched.get(item, 0) + 1
    return {item: round(score * matched[item] / len(wanted), 4) for item, score in scores.items()}


def _terms(meaning: Meaning) -> dict[int, float]:
    """Return hash → how much it counts, of the terms under which items are found that have one of the forms."""
    as_word = _MENTIONED if meaning.is_kind else 1.0
    found: dict[int, float] = {}
    for form in meaning.forms:
        token = " ".join(form)
        found |= {term_hash(f"{field} {token}"): 1.0 for field in _LABELS}
        if len(form) == 1:
            found |= {term_hash(f"{field} {token}"): as_word for field in _WORDS}
    return found


async def _strengths(reader: Reader, keys: Keys, sizes: Mapping[int, int]) -> dict[int, dict[str, float]]:
    terms = list(sizes)
    most = min(_EACH, max(1, POSTINGS // len(terms)))
    found = dict(zip(terms, await reader.postings(terms, most, keys), strict=True))
    cut = [term for term in terms if sizes[term] > most]
    # A common term is read only in part; whether the items of the rarer ones have it too is looked up.
    others = [item for term in sorted(set(terms) - set(cut), key=lambda term: sizes[term]) for item in found[term]]
    candidates = list(dict.fromkeys(others))[:_LOOKED_UP]
    for term in cut[: POSTINGS // _LOOKED_UP]:
        found[term] |= await reader.term_strengths(term, candidates, keys)
    return found


async def _popularity(reader: Reader, keys: Keys, meanings: Sequence[Meaning]) -> dict[str, float]:
    """Return the popularity of items that stand on the lists for everybody, of all and of the categories asked for."""
    forms = set(chain.from_iterable(meaning.forms for meaning in meanings))
    categories = [name for name in await reader.categories(keys) if tuple(tokens(name)) in forms]
    popular: dict[str, float] = {}
    for category in (None, *sorted(categories)[:_CATEGORIES]):
        for listed in await reader.shared([_POPULAR], category, keys):
            if listed is not None:
                popular.update(zip(listed.items, listed.scores, strict=False))
    return popular
