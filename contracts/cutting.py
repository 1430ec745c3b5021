"""Cuts lessons: what some consecutive events of a record teach, as a record of its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.learning import BY_EVENT, RAGGED, Lessons, Source


class Cutter:
    """Cuts the same lessons as often as is wanted; what is cut shares their memory.

    Parameters
    ----------
    lessons : Lessons
        The whole.
    """

    def __init__(self, lessons: Lessons) -> None:
        self._whole = lessons
        self._starts = {sizes: _starts(getattr(lessons, sizes)) for sizes in set(RAGGED.values())}
        self._new = np.zeros(len(lessons.items), np.int32)

    def part(self, first: int, stop: int, items: Sequence[int] | NDArray[np.integer], sources: list[Source]) -> Lessons:
        """Return what the events from position ``first`` to before ``stop`` teach.

        Parameters
        ----------
        first, stop : int
        items : sequence of int
            Positions of the items that the part names, in the order in which it names them: at least those of its
            events.
        sources : list of Source
            The input that it covers; its events refer to them as they did in the whole.
        """
        whole = self._whole
        self._new[items] = np.arange(len(items))
        columns: dict[str, Any] = {name: getattr(whole, name)[first:stop] for name in BY_EVENT}
        for name, sizes in RAGGED.items():
            starts = self._starts[sizes]
            columns[name] = getattr(whole, name)[starts[first] : starts[stop]]
        columns["item"] = self._new[columns["item"]]
        return replace(whole, sources=sources, items=[whole.items[position] for position in items], **columns)


def _starts(sizes: NDArray[Any]) -> NDArray[np.int64]:
    starts = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(np.maximum(sizes, 0), out=starts[1:], dtype=np.int64)
    return starts
