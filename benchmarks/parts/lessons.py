"""What events teach: records for the learning log, made by the real engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

import numpy as np

from contracts.events import Click
from contracts.learning import Lessons, Source
from infra.settings import Worker
from models.engine import Batch, Engine

BATCH = Worker().batch
"""Events per record of a worker at full speed."""
SMALL = 10
"""Events per record at 1,000 events/s: what comes while the poll before is applied."""


class Teacher:
    """Turns events into records, one after the other, as a worker's batches do.

    Parameters
    ----------
    before : iterable of Click
        What the users have done already.
    """

    def __init__(self, before: Iterable[Click] = ()) -> None:
        self._engine = Engine()
        self._offset = 0
        for _ in self.teach(before, BATCH):
            pass

    def teach(self, events: Iterable[Click], size: int) -> Iterator[Lessons]:
        """Yield what the events teach, ``size`` of them per record."""
        users, rest = self._engine.users, iter(events)
        while batch := list(islice(rest, size)):
            for user in users.missing(str(event.user) for event in batch):
                users.admit(user, None)
            offsets = range(self._offset, self._offset + len(batch))
            source = Source("clicks", "benchmark", 0, offsets[0], offsets[-1])
            yield self._engine.observe(Batch(batch, [0] * len(batch), offsets, [True] * len(batch), [source])).lessons
            self._offset += len(batch)


def without_history(lesson: Lessons) -> Lessons:
    """Return the record without the users' earlier items: what is left tells what these cost."""
    return replace(lesson, lengths=np.zeros_like(lesson.lengths), history=lesson.history[:0])
