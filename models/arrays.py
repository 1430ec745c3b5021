"""What the parts of the item model have in common: arrays with one entry for each row of the catalogue.

Such arrays grow together, and a checkpoint holds the rows in use. Beside them a part may keep a few arrays of fixed
size, which are kept whole.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from models.kernel import grown


class RowArrays:
    """Base of a part of the item model.

    Attributes
    ----------
    by_row : tuple of str
        Names of the arrays with one entry per row; new entries are zero.
    whole : tuple of str
        Names of the arrays of fixed size.
    """

    by_row: ClassVar[tuple[str, ...]] = ()
    whole: ClassVar[tuple[str, ...]] = ()

    def grow(self, capacity: int) -> None:
        """Make room for ``capacity`` rows."""
        for name in self.by_row:
            setattr(self, name, grown(getattr(self, name), capacity))

    def release(self, rows: NDArray[np.int32]) -> None:
        """Forget what is known of some rows."""
        for name in self.by_row:
            getattr(self, name)[rows] = 0

    def state(self, rows: int) -> dict[str, Any]:
        """Return what a checkpoint must hold of the first ``rows`` rows, copied."""
        return {name: getattr(self, name)[:rows].copy() for name in self.by_row} | {
            name: getattr(self, name).copy() for name in self.whole
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Take over :meth:`state`; there must be room for its rows."""
        for name in self.by_row:
            getattr(self, name)[: len(state[name])] = state[name]
        for name in self.whole:
            setattr(self, name, state[name].copy())
