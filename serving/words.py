"""Reasons in words. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

NAMED = 3  # earlier items that a sentence names

_RESTS_ON = {
    "followed": "people who had {them} went on to this",
    "together": "people who had {them} also had this",
    "embeddings": "this suits the same taste",
}
_SHARED = {
    "popular": "popular with everyone",
    "trending": "more and more people choose it",
    "latest": "new in the catalogue",
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
