"""The engine on one catalogue: rounds of all its parts and of the control, one JSON line of µs per event of a core.

python -m benchmarks.parts.engine_speed ITEMS WARM_UP ROUNDS
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from itertools import chain, islice

import numpy as np
import orjson

from benchmarks.parts.engine_apart import Apart
from benchmarks.parts.engine_control import LENGTH, USERS, NumPyControl
from benchmarks.parts.machine import load
from benchmarks.parts.zipf import Zipf
from contracts.events import Click
from contracts.learning import Lessons, Source, decode_lessons, encode_lessons
from infra.settings import Worker
from models.arrivals import APPLIED
from models.engine import Batch, Engine, Observation
from models.item_model import ItemModel
from models.listing import ListEncoder
from models.ranking import Lists

BATCH = Worker().batch
REASONS = 20
_STRETCH = 2 * BATCH  # events of each part in a round
_ONES = 128  # of those parts that take one event at a time
_CONTROL_LISTS = 4  # times 64 users
_CONTROL_STEPS = 500


class Rounds:
    """An engine that goes on learning from round to round.

    Parameters
    ----------
    items : int
        Size of the catalogue; all of it is known.
    warm_up : int
        Events learned before, beside one for each item.
    """

    def __init__(self, items: int, warm_up: int) -> None:
        stream = Zipf(items)
        self._clicks, self._offset = stream.clicks(), 0
        self._engine, self._control = Engine(), NumPyControl(items)
        self._encoder = ListEncoder(self._engine.items.catalogue)
        for events in batches(chain(stream.everything(), islice(self._clicks, warm_up)), BATCH):
            self._learn(self._observe(events).lessons)
        self._copy = ItemModel()
        self._copy.restore(self._engine.items.state())
        self._apart = Apart(self._copy)

    def one(self) -> dict[str, float]:
        """Do everything once; return part → µs."""
        taken = {
            "control: list": seconds(lambda: self._control.lists(_CONTROL_LISTS)) / (_CONTROL_LISTS * USERS),
            "control: step": seconds(lambda: self._control.steps(_CONTROL_STEPS)) / _CONTROL_STEPS,
        }
        taken |= self._parts()
        taken |= self._one_by_one()
        taken["learn + refresh"] = self._together()
        return {part: round(each * 1e6, 3) for part, each in taken.items()}

    def _parts(self) -> dict[str, float]:
        events, engine = list(islice(self._clicks, _STRETCH)), self._engine
        observations: list[Observation] = []
        lists: list[Lists] = []
        observe = seconds(lambda: observations.extend(self._observe(events) for events in batches(events, BATCH)))
        rank = seconds(lambda: [engine.rank(observation) for observation in observations])
        lessons = [decoded(observation.lessons) for observation in observations]
        apart = [self._apart.of(lesson) for lesson in lessons]
        parts = {name: seconds(partial(_call, apart, name)) for name in apart[0]}
        plain = [without_choices(lesson) for lesson in lessons]
        bare = seconds(lambda: [self._copy.learn(lesson, self._copy.position) for lesson in plain])
        learn = seconds(partial(self._learn, *lessons))
        slots = [slots for observation in observations for slots in chunks(observation)]
        refresh = seconds(lambda: lists.extend(self._refresh(some) for some in slots))
        encode = seconds(lambda: [self._encoder.encode(some) for some in lists])
        figures = {
            "observe": observe,
            "rank": rank,
            "learn": learn,
            **{f"of it: {name}": value for name, value in parts.items()},
            "of it: combiner": learn - bare,
            "refresh": refresh,
            "encode": encode,
        }
        return {name: value / _STRETCH for name, value in figures.items()}

    def _one_by_one(self) -> dict[str, float]:
        observations = [self._observe([event]) for event in islice(self._clicks, _ONES)]
        lessons = [decoded(observation.lessons) for observation in observations]
        learn = seconds(partial(self._learn, *lessons))
        refresh = seconds(lambda: [self._refresh(observation.slots) for observation in observations])
        return {"learn, one a record": learn / _ONES, "refresh, one a call": refresh / _ONES}

    def _together(self) -> float:
        observations = [self._observe(events) for events in batches(islice(self._clicks, _STRETCH), USERS)]
        lessons = [decoded(observation.lessons) for observation in observations]

        def learn_and_refresh() -> None:
            for observation, lesson in zip(observations, lessons, strict=True):
                self._learn(lesson)
                self._refresh(observation.slots)

        return seconds(learn_and_refresh) / _STRETCH

    def _observe(self, events: list[Click]) -> Observation:
        users = self._engine.users
        for user in users.missing(str(event.user) for event in events):
            users.admit(user, None)
        offsets = range(self._offset, self._offset + len(events))
        self._offset += len(events)
        source = Source("clicks", "benchmark", 0, offsets[0], offsets[-1])
        return self._engine.observe(Batch(events, [0] * len(events), offsets, [True] * len(events), [source]))

    def _learn(self, *lessons: Lessons) -> None:
        for lesson in lessons:
            self._engine.learn(lesson, self._engine.items.position)

    def _refresh(self, slots: np.ndarray) -> Lists:
        return self._engine.refresh(slots, LENGTH, REASONS)


def _call(apart: list[dict[str, Callable[[], None]]], name: str) -> None:
    for calls in apart:
        calls[name]()


def batches(events: Iterator[Click] | list[Click], size: int) -> Iterator[list[Click]]:
    """Yield the events, so many at a time."""
    rest = iter(events)
    while batch := list(islice(rest, size)):
        yield batch


def decoded(lessons: Lessons) -> Lessons:
    """Return lessons as the log brings them."""
    return decode_lessons(encode_lessons(lessons))


def without_choices(lessons: Lessons) -> Lessons:
    """Return lessons from which the combiner learns nothing."""
    return replace(lessons, had=np.full_like(lessons.had, -1), seen=lessons.seen[:0])


def chunks(observation: Observation) -> list[np.ndarray]:
    """Return the slots of users whose events were applied, 64 at a time."""
    slots = observation.slots[observation.observed.outcome == APPLIED]
    return [slots[first : first + USERS] for first in range(0, len(slots), USERS)]


def seconds(step: Callable[[], object]) -> float:
    """Return how long a core was busy with it: what others do meanwhile does not count."""
    began = time.thread_time()
    step()
    return time.thread_time() - began


def _main(items: int, warm_up: int, rounds: int) -> None:
    measured = Rounds(items, warm_up)
    measured.one()  # whatever is done for the first time is done here
    print(orjson.dumps({"rounds": [measured.one() | {"load": load()} for _ in range(rounds)]}).decode())


if __name__ == "__main__":
    _main(*map(int, sys.argv[1:4]))
