"""Where the items of ranked events stood, under every contender."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from models.selection import NONE


@dataclass
class Placings:
    """What one pass found for one plan.

    Attributes
    ----------
    event : ndarray of int64, shape (m,)
        Positions in the plan's stream.
    target : ndarray of int32, shape (m,)
        Rows of the items.
    ranks : dict
        Contender → mean ranks, 1 = best, shape (m,).
    lists : dict
        Contender → rows of its best items for the event's user, shape (m, k), -1 = no more candidates.
    passed_over : dict
        Why a chosen event was not ranked → how many.
    placed : int
        How many events were ranked so far, m in the end.
    learned : int
        How many events were learned in the whole pass.
    engine_s, ranking_s : float, dict
        Seconds spent on observing and learning in the whole pass; on ranking, by contender.
    """

    event: NDArray[np.int64]
    target: NDArray[np.int32]
    ranks: dict[str, NDArray[np.float64]]
    lists: dict[str, NDArray[np.int32]]
    passed_over: Counter[str] = field(default_factory=Counter)
    placed: int = 0
    learned: int = 0
    engine_s: float = 0.0
    ranking_s: dict[str, float] = field(default_factory=dict)

    @classmethod
    def room(cls, m: int, names: Iterable[str], k: int) -> Placings:
        """Return room for ``m`` events."""
        names = tuple(names)
        return cls(
            np.zeros(m, np.int64),
            np.zeros(m, np.int32),
            {name: np.zeros(m) for name in names},
            {name: np.full((m, k), NONE, np.int32) for name in names},
            ranking_s=dict.fromkeys(names, 0.0),
        )

    def trim(self) -> None:
        """Keep only what was filled."""
        n = self.placed
        self.event, self.target = self.event[:n], self.target[:n]
        self.ranks = {name: ranks[:n] for name, ranks in self.ranks.items()}
        self.lists = {name: lists[:n] for name, lists in self.lists.items()}

    def lend(self, other: Placings, names: Iterable[str]) -> None:
        """Give another pass over the same events the ranks and lists of contenders that it did not rank again."""
        for name in names:
            other.ranks[name], other.lists[name] = self.ranks[name], self.lists[name]
