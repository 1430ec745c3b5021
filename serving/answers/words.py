"""Reasons in words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from serving.answers.evidence import Evidence

NAMED = 3  # earlier items that a sentence names

_RESTS_ON = {
    "followed": "people who had {them} went on to this",
    "together": "people who had {them} also had this",
    "embeddings": "this suits the same taste",
    "similar": "this goes with {them}",
}
_SHARED = {
    "popular": "popular with everyone",
    "trending": "more and more people choose it",
    "returners": "people who come back choose it first",
    "newcomers": "newcomers choose it",
    "latest": "new in the catalogue",
    "embeddings": "it suits the taste so far",
}


def explain(reasons: Sequence[str], titles: Mapping[str, str]) -> str:
    """Say why an item is on a list.

    Parameters
    ----------
    reasons : (scorer, item, …)
        The scorer, or the shared list, that speaks loudest for it, and the user's earlier items that it rests on; may
        be empty.
    titles : mapping of item to title
        Items without a title are called by their id.

    Examples
    --------
    >>> explain(["followed", "1", "6"], {"1": "Toy Story", "6": "Heat"})
    'because of Toy Story and Heat: people who had them went on to this'
    """
    if not reasons:
        return ""
    source, *items = reasons
    if not items:
        return _SHARED.get(source, f"the {source} score speaks for it")
    named = [titles.get(item, item) for item in items[:NAMED]]
    because = f"because of {_listed(named)}"
    ground = _RESTS_ON.get(source)
    return f"{because}: {ground.format(them='it' if len(named) == 1 else 'them')}" if ground else because


def verdict(evidence: Evidence, withheld: bool, titles: Mapping[str, str]) -> str:
    """Say why an item stands on a user's list, or why it does not.

    Parameters
    ----------
    evidence : Evidence
    withheld : bool
        Whether nobody may be shown the item.
    titles : mapping of item to title
        As for :func:`explain`.
    """
    return "; ".join([_standing(evidence, withheld, titles), *_support(evidence, titles)])


def _standing(evidence: Evidence, withheld: bool, titles: Mapping[str, str]) -> str:
    if withheld:
        return "withheld: nobody is shown it"
    if evidence.rank is not None:
        place = f"number {evidence.rank} of {evidence.length} on the list"
        why = explain(evidence.reasons, titles)
        return f"{place}, {why}" if why else f"{place}; reasons are kept for the first items only"
    if evidence.had:
        return "not on the list: one of the earlier items that the list rests on"
    if evidence.length:
        return f"not among the {evidence.length} items of the list: others come before it, or the user has had it"
    return "this user has no list yet"


def _support(evidence: Evidence, titles: Mapping[str, str]) -> Iterator[str]:
    taste = evidence.taste
    if taste is not None and taste.of:
        yield f"by taste alone it scores {taste.score:.3g}, above {taste.below} of {taste.of} items of the list"
    had = [titles.get(near.item, near.item) for near in evidence.near if near.rank is None]
    offered = [titles.get(near.item, near.item) for near in evidence.near if near.rank is not None]
    if had:
        yield f"it goes with {_listed(had)}, which the list rests on"
    if offered:
        yield f"it goes with {_listed(offered)} on the list"
    if not evidence.near:
        yield "nothing on the list is known to go with it"


def ago(milliseconds: int) -> str:
    """Say how long ago something was.

    Examples
    --------
    >>> ago(95_000), ago(200)
    ('1 min ago', 'just now')
    """
    seconds = milliseconds // 1000
    for unit, size in (("days", 86_400), ("h", 3600), ("min", 60), ("s", 1)):
        if seconds >= size * (2 if unit == "days" else 1):
            return f"{seconds // size} {unit} ago"
    return "just now"


def _listed(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
