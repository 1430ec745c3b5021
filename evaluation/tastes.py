"""Which categories users like: what their lists are held against for calibration."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from evaluation.stream import Stream

_MOST = 100  # of categories: the rarer ones, tags often, say little of a taste and cost memory for each user

Floats = NDArray[np.float64]


def distributions(items: Sequence[str], categories: Mapping[str, list[str]]) -> Floats:
    """Return each item's distribution over the most frequent categories, (items, c); zeros where it has none."""
    frequent = Counter(category for named in categories.values() for category in dict.fromkeys(named))
    column = {category: index for index, (category, _) in enumerate(frequent.most_common(_MOST))}
    shares = np.zeros((len(items), len(column)))
    for row, item in enumerate(items):
        named = [column[category] for category in categories.get(item, ()) if category in column]
        shares[row, named] = 1.0 / max(len(named), 1)
    return shares


def tastes(stream: Stream, events: NDArray[np.int64]) -> Floats:
    """Return the sum of the distributions of all items that each event's user had had before it, (m, c).

    Parameters
    ----------
    stream : Stream
    events : ndarray, shape (m,)
        Ascending positions.
    """
    shares = distributions(stream.items, stream.categories)
    totals = np.zeros((len(stream.users), shares.shape[1]), np.float32)
    found = np.zeros((len(events), shares.shape[1]))
    done = 0
    for index, event in enumerate(events.tolist()):
        np.add.at(totals, stream.user[done:event], shares[stream.item[done:event]])
        done = event
        found[index] = totals[stream.user[event]]
    return found
