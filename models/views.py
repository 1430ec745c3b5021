"""Users as scoring sees them: what the table holds of them under keys, as rows of the item model of now.

It only reads, both what we know of users and what we know of items.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from models.arrivals import opinions
from models.item_model import ItemModel
from models.observing import Observation
from models.profiles import Profiles, pause, profiles
from models.ranking import Ragged
from models.users import UserTable


class Views:
    """Views of the resident users.

    Parameters
    ----------
    users : UserTable
    items : ItemModel
    """

    def __init__(self, users: UserTable, items: ItemModel) -> None:
        self._users, self._items = users, items

    def before(self, observation: Observation, events: NDArray[np.int64]) -> Profiles:
        """Return the profiles that the users of some events of a batch had just before these."""
        observed = observation.observed
        return self._profiles(
            observed.history[events],
            observed.lengths[events],
            opinions(observed.kinds[events], observed.values[events]),
            observation.gaps[events],
        )

    def now(self, slots: NDArray[np.int32], now_ms: NDArray[np.int64] | None = None) -> Profiles:
        """Return the profiles of resident users at a moment of each, in ms; None = at their last events.

        See :meth:`models.engine.Engine.refresh`.
        """
        keys, lengths = self._users.recent(slots)
        times, kinds, values = self._users.details(slots)
        gaps = np.zeros(len(slots), np.int64) if now_ms is None else pause(now_ms - times[:, 0], lengths)
        return self._profiles(keys, lengths, opinions(kinds, values), gaps)

    def knows(self, slots: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Return for which resident users there is something to make a list from: events, or what his like did."""
        known = self._users.active(slots)
        blank = ~known
        if blank.any():
            _, known[blank] = self._items.attributes.vectors(*self._users.attributes(slots[blank]))
        return known

    def vectors(self, slots: NDArray[np.int32], recent: NDArray[np.int32]) -> NDArray[np.float32]:
        """Return the embeddings (b, d) of users with these recent rows; those of their like of users without events."""
        vectors = self._items.embeddings.users(recent)
        blank = ~self._users.active(slots)
        if blank.any():
            vectors[blank], _ = self._items.attributes.vectors(*self._users.attributes(slots[blank]))
        return vectors

    def seen(self, slots: NDArray[np.int32], lengths: NDArray[np.int64] | None = None) -> Ragged:
        """Return the rows of all items that users have had, or of each one's first ``lengths``."""
        keys, starts, counts = self._users.seen(slots, lengths)
        return Ragged(self._items.catalogue.rows(keys), starts, counts)

    def _profiles(
        self,
        keys: NDArray[np.uint64],
        lengths: NDArray[np.uint8],
        values: NDArray[np.float16],
        gaps: NDArray[np.int64],
    ) -> Profiles:
        rows = self._items.catalogue.rows(keys.reshape(-1)).reshape(keys.shape)
        return profiles(rows, lengths, values, gaps, self._items.scale)
