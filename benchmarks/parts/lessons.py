"""What batches of events teach: records for the learning log, made by the real engine."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

import numpy as np

from contracts.events import Click
from contracts.learning import Lessons, Source
from models.engine import Batch, Engine


def lessons(events: Iterable[Click], size: int) -> Iterator[Lessons]:
    """Yield what the events teach, ``size`` of them per record, in their order."""
    engine, first, rest = Engine(), 0, iter(events)
    while batch := list(islice(rest, size)):
        for user in engine.users.missing(str(event.user) for event in batch):
            engine.users.admit(user, None)
        offsets = range(first, first + len(batch))
        source = Source("clicks", "benchmark", 0, first, offsets[-1])
        yield engine.observe(Batch(batch, [0] * len(batch), offsets, [True] * len(batch), [source])).lessons
        first += len(batch)


def without_history(lesson: Lessons) -> Lessons:
    """Return the record without the users' earlier items: what is left tells what these cost."""
    return replace(lesson, lengths=np.zeros_like(lesson.lengths), history=lesson.history[:0])
