"""A synthetic stream: items of Zipf's popularity in groups, visitors with tastes, full histories and nothing twice.

Visitors take turns, so no stretch shorter than their number holds one twice and every event asks for a list of its
own. Most of them go on within a minute; at every twentieth turn all come back after an hour.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from contracts.events import Click

_BEGIN_MS = 1_700_000_000_000
_TURN_MS, _PAUSE_MS = 60_000, 3_600_000
_TURNS_TOGETHER = 20
_STEEPNESS = 0.9
_GROUP = 100  # items
_TASTES = 3  # groups that a visitor likes …
_LOYALTY = 0.7  # … and the share of his events that are about them
_TRIES = 8


class Zipf:
    """An endless stream of clicks, the same for the same arguments.

    Parameters
    ----------
    items, visitors : int
    seed : int
    """

    def __init__(self, items: int, visitors: int = 2000, seed: int = 0) -> None:
        self.items, self.visitors = items, visitors
        self._rng = np.random.default_rng(seed)
        self._groups = max(items // _GROUP, 1)
        self._tastes = self._rng.integers(0, self._groups, (visitors, _TASTES))
        self._had: list[set[int]] = [set() for _ in range(visitors)]
        self._all, self._in_group = _ladder(items), _ladder(items // self._groups)
        self._turn, self._now = 0, _BEGIN_MS

    def everything(self) -> Iterator[Click]:
        """Yield a click on every item, by visitors who come for this alone, in a random order."""
        for position, item in enumerate(self._rng.permutation(self.items).tolist()):
            yield Click(user=f"first {position // 50}", item=f"item {item}", time=_BEGIN_MS - self.items + position)

    def clicks(self) -> Iterator[Click]:
        """Yield the clicks, from where the call before was left at a turn's end."""
        while True:
            yield from self._next_turn()

    def _next_turn(self) -> Iterator[Click]:
        drawn = self._draw()
        self._turn += 1
        self._now += _PAUSE_MS if self._turn % _TURNS_TOGETHER == 0 else _TURN_MS
        for visitor in self._rng.permutation(self.visitors).tolist():
            had, tries = self._had[visitor], drawn[visitor]
            item = next((item for item in tries if item not in had), tries[0])
            had.add(item)
            yield Click(user=f"visitor {visitor}", item=f"item {item}", time=self._now + visitor)

    def _draw(self) -> list[list[int]]:
        shape = self.visitors, _TRIES
        places = np.searchsorted(self._in_group, self._rng.random(shape))
        group = np.take_along_axis(self._tastes, self._rng.integers(0, _TASTES, shape), axis=1)
        anything = np.searchsorted(self._all, self._rng.random(shape))
        loyal = self._rng.random(shape) < _LOYALTY
        drawn: list[list[int]] = np.where(loyal, places * self._groups + group, anything).tolist()
        return drawn


def _ladder(n: int) -> np.ndarray:
    shares = np.arange(1, n + 1, dtype=np.float64) ** -_STEEPNESS
    return np.cumsum(shares / shares.sum())[:-1]
