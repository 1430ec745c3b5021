"""What goes with a few recent items: for guests, and for sessions that have no user. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from serving.lists.recommend import SESSION, Source
from serving.reading.values import ItemList

DECAY = 0.8
"""How much an item counts beside the one after it."""
NAMED = 2  # recent items that a reason names
SIMILAR = "similar"


def session(recent: Sequence[str], neighbours: Sequence[ItemList | None]) -> Source:
    """Return the recency-weighted sum of the items' neighbours, ``score(x) = Σ_k DECAY^k · similarity(r_k, x)``.

    Parameters
    ----------
    recent : sequence of str
        Newest last. Of an item that comes more than once the newest counts.
    neighbours : sequence of ItemList or None
        Of each of them.

    Returns
    -------
    Source
        Without the recent items themselves; of equal scores the one that was met first, from the newest on. A reason
        names the recent items whose terms are the largest.
    """
    terms: dict[str, list[tuple[float, str]]] = {}
    times = []
    known = dict(zip(recent, neighbours, strict=True))
    weight = 1.0
    for item in dict.fromkeys(reversed(recent)):
        near = known[item]
        if near is not None:
            times.append(near.time)
            for other, score in zip(near.items, near.scores, strict=False):
                if other not in known:
                    terms.setdefault(other, []).append((weight * score, item))
        weight *= DECAY
    scores = {item: sum(term for term, _ in own) for item, own in terms.items()}
    order = sorted(scores, key=lambda item: -scores[item])
    grounds = (sorted(terms[item], key=lambda term: -term[0])[:NAMED] for item in order)
    return Source(
        SESSION,
        order,
        [round(scores[item], 4) for item in order],
        [[SIMILAR, *(item for _, item in named)] for named in grounds],
        time=min(times, default=None),
    )
