"""Observe, then learn: what the learning log does between two halves of a worker's engine, here in one process.

Lag 0: an event is ranked, and its successor learned, when everything before it has been learned. While a thread learns
a block, the blocks behind it are observed: the one changes the item model only, the other the users' states, and most
of learning is a kernel that leaves the interpreter to others.
"""

from __future__ import annotations

import gc
import sys
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from contracts.learning import Introduction
from evaluation.prequential import Prequential
from infra.turns import wake_at_once
from models.engine import Engine
from streams.replaying.learner import Learner
from streams.replaying.merge import Entries
from streams.replaying.observing import Observer
from streams.replaying.plan import Plan, Progress

# Learning is what takes longest: it must not wait for the interpreter behind each of its kernels for 5 ms, Python's
# default, while others decode and observe.
_TURN_S = 0.00001
_AHEAD = 2  # blocks that are observed and not yet learned, at most


class Fold:
    """Folds blocks into an engine; for a ``with`` statement.

    Parameters
    ----------
    engine : Engine
    plan : Plan
    progress : Progress
        How far the item model has come; kept up to date, complete after :meth:`settle`.
    records : mapping of str to Introduction
        Item → what its newest record says, for those that are not deleted.
    admit : callable
        Makes users resident.
    """

    def __init__(
        self,
        engine: Engine,
        plan: Plan,
        progress: Progress,
        records: Mapping[str, Introduction],
        admit: Callable[[Sequence[str]], None],
    ) -> None:
        self._observer = Observer(engine, plan.score_every, progress, admit)
        self._learner = Learner(engine, plan, progress, records)
        self._waiting: deque[Future[None]] = deque()
        self._thread = ThreadPoolExecutor(1, "replay learner", initializer=wake_at_once)
        self._turn_s = sys.getswitchinterval()

    def __enter__(self) -> Fold:
        sys.setswitchinterval(_TURN_S)
        gc.disable()  # a block's events are no garbage while it is folded, and no circles after: 8 % of the time
        return self

    def __exit__(self, *_: object) -> None:
        self._thread.shutdown(cancel_futures=True)
        gc.enable()
        sys.setswitchinterval(self._turn_s)

    @property
    def quality(self) -> Prequential:
        """Of the blend, on the events that were ranked."""
        return self._learner.quality

    @property
    def popularity(self) -> Prequential:
        """Of popularity, on the same events."""
        return self._learner.popularity

    @property
    def duplicates(self) -> int:
        """Repeats of earlier events."""
        return self._learner.duplicates

    def block(self, entries: Entries, *, learns: bool = True) -> None:
        """Take over a block; without ``learns`` only into the users' states, because the item model has it."""
        if not learns:
            self._observer.again(entries)
            return
        stretches = self._observer.block(entries)
        self._wait(_AHEAD - 1)
        self._waiting.append(self._thread.submit(self._learner.block, entries, stretches))

    def settle(self) -> None:
        """Wait until all that was taken over has been learned: then both halves are at the same event."""
        self._wait(0)
        gc.collect()

    def finish(self) -> None:
        """Say that everything of every partition was read, what could not be used included."""
        self.settle()
        self._learner.finish()

    def _wait(self, most: int) -> None:
        """Wait until no more than so many blocks are to be learned; an error of theirs is raised here."""
        while len(self._waiting) > most:
            self._waiting.popleft().result()
