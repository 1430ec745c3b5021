"""Which items may be shown: hidden, expired and deleted ones leave every list that is made later."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contracts.events import Item
from models.catalogue import Catalogue
from models.kernel import grown


class Availability:
    """What the ``items`` topic says of showing items, as a mask over the model's rows.

    Parameters
    ----------
    catalogue : Catalogue
        Gives the rows.

    Attributes
    ----------
    changes : int
        How often an item was withheld or given back.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._withheld: set[str] = set()
        self._expires: dict[str, int] = {}
        self._mask = np.zeros(0, np.bool_)
        self._serial = 0
        self.changes = 0

    def put(self, item: Item, now: int) -> bool:
        """Take over an item's newest record; return whether it must not be shown. ``now`` in ms since the epoch."""
        self._expires.pop(item.item, None)
        withheld = item.hidden or item.deleted
        if item.expires is not None and not withheld:
            withheld = item.expires <= now
            if not withheld:
                self._expires[item.item] = item.expires
        self._set(item.item, withheld)
        return withheld

    def expire(self, now: int) -> list[str]:
        """Withhold the items whose time is over; return their ids."""
        over = [item for item, expires in self._expires.items() if expires <= now]
        for item in over:
            del self._expires[item]
            self._set(item, True)
        return over

    def is_withheld(self, item: str) -> bool:
        """Return whether an item must not be shown."""
        return item in self._withheld

    def all_withheld(self) -> list[str]:
        """Return the ids of all items that must not be shown, whether the model knows them or not."""
        return sorted(self._withheld)

    def withheld(self) -> NDArray[np.bool_]:
        """Return the mask, shape (rows,): True where an item must not be shown."""
        catalogue, n = self._catalogue, len(self._catalogue)
        if self._serial < catalogue.serial:
            if n > len(self._mask):
                self._mask = grown(self._mask, catalogue.capacity)
            for row in catalogue.assigned_since(self._serial).tolist():
                self._mask[row] = catalogue.ids[row] in self._withheld
            self._serial = catalogue.serial
        return self._mask[:n]

    def _set(self, item: str, withheld: bool) -> None:
        self.changes += (item in self._withheld) != withheld
        if withheld:
            self._withheld.add(item)
        else:
            self._withheld.discard(item)
        row = self._catalogue.row(item)
        if 0 <= row < len(self._mask):
            self._mask[row] = withheld
