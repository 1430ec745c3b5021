"""What a model of many items takes: checkpoint, memory, and a core's time per event and list. One JSON line.

    python -m benchmarks.parts.scale_model ITEMS EVENTS

It has learned one event of each item and so many more, by visitors with tastes. ``scale_model restore FOLDER`` reads
its checkpoint in a process of its own, so that memory is what a worker's would be.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable
from itertools import chain, islice
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import orjson

from benchmarks.parts.engine_control import LENGTH, USERS
from benchmarks.parts.engine_memory import resident_mb
from benchmarks.parts.engine_speed import BATCH, REASONS, batches, chunks, decoded, seconds
from benchmarks.parts.place import figures_of
from benchmarks.parts.zipf import Zipf
from contracts.events import Click
from contracts.learning import Source
from models.engine import Batch, Engine, Observation
from models.item_model import ItemModel
from models.warmup import warm_up
from streams.learning.checkpoints import Checkpoints

_TIMED = 4 * BATCH
_TIMEOUT_S = 600.0
_ALONE = 64  # lists that are made one at a time


class Learner:
    """An engine that applies and learns a stream.

    Parameters
    ----------
    items : int
    """

    def __init__(self, items: int) -> None:
        self.engine, self._offset = Engine(), 0
        self.stream = Zipf(items)

    def observe(self, events: list[Click]) -> Observation:
        """Apply a batch."""
        users = self.engine.users
        for user in users.missing(str(event.user) for event in events):
            users.admit(user, None)
        offsets = range(self._offset, self._offset + len(events))
        self._offset += len(events)
        source = Source("clicks", "scale", 0, offsets[0], offsets[-1])
        return self.engine.observe(Batch(events, [0] * len(events), offsets, [True] * len(events), [source]))

    def learn(self, observations: Iterable[Observation]) -> None:
        """Learn what batches teach."""
        for observation in observations:
            self.engine.learn(decoded(observation.lessons), self.engine.items.position)


def measure(items: int, events: int) -> dict[str, Any]:
    """Return the figures."""
    began, learner = time.perf_counter(), Learner(items)
    for batch in batches(chain(learner.stream.everything(), islice(learner.stream.clicks(), events)), BATCH):
        learner.learn([learner.observe(batch)])
    learned = time.perf_counter()
    figures = {
        "items": len(learner.engine.items.catalogue),
        "events": items + events,
        "pairs_per_item": round(int(learner.engine.items.pairs.pool[0]) / items, 1),
        "process_mb": resident_mb(),
        "speed": _speed(learner),
    }
    began_to_copy = time.perf_counter()
    state = learner.engine.items.state()
    copied = time.perf_counter() - began_to_copy
    del learner  # or a million items would be in memory four times over
    figures["checkpoint"] = {"copy_s": round(copied, 3), **_checkpoint(state)}
    return figures | {"learned_in_s": round(learned - began), "seconds": round(time.perf_counter() - began)}


def _speed(learner: Learner) -> dict[str, float]:
    """Return µs of a core per event learned and list made."""
    observations = [learner.observe(batch) for batch in batches(islice(learner.stream.clicks(), _TIMED), BATCH)]
    learn = seconds(lambda: learner.learn(observations))
    slots = [some for observation in observations for some in chunks(observation)][: 512 // USERS]
    learner.engine.refresh(slots[0], LENGTH, REASONS)  # what is done for the first time after learning
    refresh = seconds(lambda: [learner.engine.refresh(some, LENGTH, REASONS) for some in slots])
    lists = int(np.sum([len(some) for some in slots]))
    few = np.concatenate(slots)[:_ALONE]
    alone = seconds(lambda: [learner.engine.refresh(few[k : k + 1], LENGTH, REASONS) for k in range(len(few))])
    return {
        "learn_us": round(learn / _TIMED * 1e6, 1),
        "refresh_us": round(refresh / lists * 1e6, 1),
        "refresh_alone_us": round(alone / len(few) * 1e6, 1),
    }


def _checkpoint(state: dict[str, Any]) -> dict[str, Any]:
    """Return what it takes to write and read a state; the state is emptied."""
    with TemporaryDirectory() as folder:
        began = time.perf_counter()
        path = Path(Checkpoints(folder, print).write(state))
        taken = time.perf_counter() - began
        state.clear()
        figures = {"mb": round(path.stat().st_size / 1e6, 1), "write_s": round(taken, 3)}
        return figures | figures_of("-m", "benchmarks.parts.scale_model", "restore", folder, timeout=_TIMEOUT_S)


def restored(folder: str) -> dict[str, Any]:
    """Read a checkpoint into a new model; return seconds and bytes per item of this process."""
    warm_up()
    model, before = ItemModel(), resident_mb()
    began = time.perf_counter()
    Checkpoints(folder, print).restore(model)
    taken = time.perf_counter() - began
    grown = (resident_mb() - before) * 1e6
    return {"read_s": round(taken, 3), "worker_bytes_per_item": round(grown / len(model.catalogue))}


if __name__ == "__main__":
    found = restored(sys.argv[2]) if sys.argv[1] == "restore" else measure(*map(int, sys.argv[1:3]))
    print(orjson.dumps(found).decode())
