"""What the ``items`` topic says of items beside whether they may be shown: categories, brand, time of creation.

Kept by id, because a record may come before its item has a row, and by row, because that is how it is asked for.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from contracts.events import Item
from models.catalogue import Catalogue
from models.kernel import grown

CATEGORY, BRAND = 0, 1
"""The kinds of groups."""
NONE = -1
NEVER = -1
"""Time of creation of an item that names none."""


class _Label(NamedTuple):
    categories: tuple[str, ...]
    brand: str | None
    created: int


_BLANK = _Label((), None, NEVER)


class Labels:
    """Labels of a catalogue's items.

    Parameters
    ----------
    catalogue : Catalogue
        Gives the rows.
    """

    def __init__(self, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._by_id: dict[str, _Label] = {}
        self._by_row: list[_Label] = []
        self._serial = 0
        self._numbers: tuple[dict[str, int], dict[str, int]] = ({}, {})
        self._groups = np.full((1024, 2), NONE, np.int32)
        self._created = np.full(1024, NEVER, np.int64)
        self._members: dict[str, set[int]] = {}
        self._sorted: dict[str, NDArray[np.int32]] = {}

    def put(self, item: Item) -> None:
        """Take over an item's newest record."""
        created = NEVER if item.created is None else item.created
        label = _Label(tuple(dict.fromkeys(item.categories)), item.brand, created)
        if item.deleted or label == _BLANK:
            label = _BLANK
            self._by_id.pop(item.item, None)
        else:
            self._by_id[item.item] = label
        row = self._catalogue.row(item.item)
        if 0 <= row < len(self._by_row):
            self._set(row, label)

    def groups(self) -> NDArray[np.int32]:
        """Return category and brand of each item as numbers, shape (2, rows), -1 = none; an item's first category."""
        self._follow()
        return self._groups[: len(self._by_row)].T

    def created(self) -> NDArray[np.int64]:
        """Return when each item was created, ms since the epoch, shape (rows,); -1 where it is not said."""
        self._follow()
        return self._created[: len(self._by_row)]

    def categories(self) -> dict[str, NDArray[np.int32]]:
        """Return the rows of the items of every category that has any, in their order."""
        self._follow()
        for name in self._members.keys() - self._sorted.keys():
            members = self._members[name]
            self._sorted[name] = np.sort(np.fromiter(members, np.int32, len(members)))
        return dict(self._sorted)

    def _follow(self) -> None:
        """Label the rows that the catalogue has given since."""
        catalogue, n = self._catalogue, len(self._catalogue)
        if self._serial == catalogue.serial:
            return
        if n > len(self._created):
            self._groups, self._created = grown(self._groups, 2 * n), grown(self._created, 2 * n)
        self._by_row += [_BLANK] * (n - len(self._by_row))
        for row in catalogue.assigned_since(self._serial).tolist():
            self._set(row, self._by_id.get(catalogue.ids[row], _BLANK))
        self._serial = catalogue.serial

    def _set(self, row: int, label: _Label) -> None:
        for category in self._by_row[row].categories:
            self._sorted.pop(category, None)
            members = self._members[category]
            members.discard(row)
            if not members:
                del self._members[category]
        for category in label.categories:
            self._sorted.pop(category, None)
            self._members.setdefault(category, set()).add(row)
        self._by_row[row] = label
        first = label.categories[0] if label.categories else None
        for kind, name in ((CATEGORY, first), (BRAND, label.brand)):
            numbers = self._numbers[kind]
            self._groups[row, kind] = NONE if name is None else numbers.setdefault(name, len(numbers))
        self._created[row] = label.created
