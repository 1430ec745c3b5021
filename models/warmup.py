"""Compiles every kernel, or loads it from the cache, before the first event needs it."""

from __future__ import annotations

import numpy as np

from contracts.events import Click, Rating
from contracts.learning import Source
from models.engine import Batch, Engine
from models.listing import ListEncoder
from models.scorers.embeddings import ENOUGH_KNOWN


def warm_up() -> None:
    """Run a small engine through everything that it can do; seconds the first time on a machine, then milliseconds."""
    engine = Engine(resident_users=1000)
    n = ENOUGH_KNOWN + 10
    clicks = [Click(user=str(index % 2), item=str(index // 2), time=index) for index in range(2 * n)]
    events: list[Click | Rating] = [*clicks, Rating(user="0", item="new", rating=1.0, time=2 * n)]
    engine.users.admit("0", None)
    engine.users.admit("1", None)
    for position, half in enumerate((events[:n], events[n:])):
        offsets = list(range(position * n, position * n + len(half)))
        source = Source("warm", "up", 0, offsets[0], offsets[-1])
        observation = engine.observe(Batch(half, [0] * len(half), offsets, [True] * len(half), [source]))
        engine.rank(observation)
        engine.learn(observation.lessons, position)
    ListEncoder(engine.items.catalogue).encode(engine.refresh(np.array([0, 1], np.int32), 10, 5))
    engine.vectors(["0"])
    (_, state), *_ = engine.users.changed()
    engine.users.clear()
    engine.users.admit("0", state)
