"""What was shown at which place, and whether it was clicked: the data of click models."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import zip_longest

import numpy as np
import xxhash
from numpy.typing import NDArray

from contracts.events import Click, Impression
from evaluation.rows import Row


@dataclass(slots=True)
class Showing:
    """One item, shown once.

    Attributes
    ----------
    time : int
        ms since the epoch.
    user, item : str
    place : int
        In the list, from 1.
    clicked : bool
    propensity : float or None
        Probability with which the item was put there, where it is known.
    arm : str or None
        Which policy chose.
    """

    time: int
    user: str
    item: str
    place: int
    clicked: bool
    propensity: float | None = None
    arm: str | None = None


def joined(rows: Iterable[Row]) -> list[Showing]:
    """Return what impressions showed, in the order of time; clicked is what a later click names with their list.

    Parameters
    ----------
    rows : iterable
        Impressions and clicks count, everything else is passed over. A list that is shown again counts once.
    """
    found: dict[tuple[str, str, str], Showing] = {}
    for row in rows:
        if isinstance(row, Impression):
            for place, (item, propensity) in enumerate(
                zip_longest(row.items, (row.propensities or [])[: len(row.items)]), 1
            ):
                showing = Showing(row.time or 0, row.user, item, place, False, propensity, row.arm)
                found.setdefault((row.user, row.list_id, item), showing)
        elif isinstance(row, Click) and row.list_id and (shown := found.get((row.user, row.list_id, row.item))):
            shown.clicked = True
    return sorted(found.values(), key=lambda showing: showing.time)


def hash_of(showings: Iterable[Showing]) -> str:
    """Return a hash of all that was shown: equal data have equal ones, whatever files they came from."""
    digest = xxhash.xxh3_128()
    for each in showings:
        digest.update(
            f"{each.time}\t{each.user}\t{each.item}\t{each.place}\t{each.clicked}\t{each.propensity}\n".encode()
        )
    return digest.hexdigest()


def clicked(showings: Iterable[Showing]) -> NDArray[np.bool_]:
    """Return which were clicked, shape (n,)."""
    return np.array([each.clicked for each in showings], np.bool_)
