"""How well the model would have served what was just chosen: measured while the lists of a batch are made."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np

from models.arrivals import APPLIED, DUPLICATE, UNDONE
from models.engine import Engine, Observation, Ranks
from streams.applying.lists import ListMaker
from streams.watching.budget import Budget
from streams.watching.status import Status

Made = list[tuple[str, bytes]]
"""Users and their lists."""
_NOT_MEASURED = Ranks(np.zeros(0, np.int64), np.zeros(0), np.zeros(0))
# Below so many events, waking another thread costs more than it saves.
_WORTH_A_THREAD = 64


class Measuring:
    """Ranks the items chosen, as far as there is time for it, and counts what batches were.

    Parameters
    ----------
    engine, lists, status
        Of this worker.
    share : float
        Of the time, at most, for ranking; see :class:`streams.watching.budget.Budget`.
    """

    def __init__(self, engine: Engine, lists: ListMaker, status: Status, share: float) -> None:
        self._engine, self._lists, self._status = engine, lists, status
        self._budget = Budget(share)
        self._beside = ThreadPoolExecutor(1, "rank")

    def while_made(self, make: Callable[[], Made], topic: str, observation: Observation) -> Made:
        """Return the lists that ``make`` makes; those of before count for what was shown.

        Both only read what is known, so in large batches they go on at the same time.
        """
        shown = self._lists.was_shown(observation)
        outcome = observation.observed.outcome
        if not self._budget.allows():
            made, ranks = make(), _NOT_MEASURED
        elif len(outcome) >= _WORTH_A_THREAD:
            ranking = self._beside.submit(self._ranks, observation)
            made, ranks = make(), ranking.result()
        else:
            made, ranks = make(), self._ranks(observation)
        n, duplicates = int((outcome <= DUPLICATE).sum()), int((outcome == DUPLICATE).sum())
        untaught = int(((outcome == APPLIED) & ~observation.observed.taught).sum())
        self._status.observed(topic, n, duplicates, untaught, ranks, shown[ranks.events])
        self._status.undone += int((outcome == UNDONE).sum())
        return made

    def _ranks(self, observation: Observation) -> Ranks:
        with self._budget.spent():
            return self._engine.rank(observation)
