"""A log that several workers write: the same lessons in another order, and a model that knows as much."""

from __future__ import annotations

import numpy as np
from workload import events

from evaluation.log import Log, source
from evaluation.replicas import ReplicatedLog
from models.engine import Batch, Engine

N, WINDOW, REPLICAS = 600, 50, 3


def filled(log: Log) -> Log:
    engine, stream = Engine(resident_users=1000), events(N, ratings=0.3)
    for user in {event.user for event in stream}:
        engine.users.admit(user, None)
    for first in range(0, N, 128):
        part = stream[first : first + 128]
        offsets = list(range(first, first + len(part)))
        batch = Batch(part, [0] * len(part), offsets, [True] * len(part), [source(first, offsets[-1])])
        log.append(engine.observe(batch).lessons)
    return log


def owners() -> np.ndarray:
    names = sorted({event.user for event in events(N, ratings=0.3)})
    return np.array([names.index(event.user) for event in events(N, ratings=0.3)])


def test_each_window_holds_its_events_once_worker_after_worker_each_in_order() -> None:
    owner = owners()
    log = filled(ReplicatedLog(owner, REPLICAS, WINDOW))
    plain = np.concatenate([lessons.offset for lessons in filled(Log()).take(N)])
    taken = [lessons.offset for lessons in log.take(N)]
    windows = np.concatenate(taken) // WINDOW
    assert np.array_equal(np.sort(np.concatenate(taken)), plain)
    assert (np.diff(windows) >= 0).all()
    for offsets in taken:
        assert (np.diff(offsets) > 0).all()
        assert len(set(owner[offsets] % REPLICAS)) == 1


def test_what_is_not_a_whole_window_waits() -> None:
    log = filled(ReplicatedLog(owners(), REPLICAS, WINDOW))
    assert log.take(WINDOW - 1) == []
    assert max(lessons.offset.max() for lessons in log.take(2 * WINDOW - 1)) < WINDOW


def test_the_model_counts_the_same_events_of_every_item() -> None:
    models = []
    for log in (Log(), ReplicatedLog(owners(), REPLICAS, WINDOW)):
        engine = Engine()
        for position, lessons in enumerate(filled(log).take(N)):
            engine.learn(lessons, position)
        catalogue = engine.items.catalogue
        models.append(dict(zip(catalogue.ids, catalogue.events[: len(catalogue)].tolist(), strict=True)))
    assert models[0] == models[1]
