"""Compiles every kernel, or loads it from the cache, before the first event needs it."""

from __future__ import annotations

import numpy as np

from contracts.events import Click, Item, Rating
from contracts.learning import Introduction, Source, decode_lessons, encode_lessons, introduction
from models.content.examples import MILESTONE
from models.content.terms import introduce
from models.engine import Batch, Engine
from models.listing import ListEncoder
from models.scorers.embeddings import ENOUGH_KNOWN


def warm_up() -> None:
    """Run a small engine through everything that it can do; seconds the first time on a machine, then milliseconds."""
    engine = Engine(resident_users=1000, rating_users=0)  # River has no kernels, and takes long to load
    n = ENOUGH_KNOWN + 10
    clicks = [Click(user=str(index % 2), item=str(index // 2), time=index) for index in range(2 * n)]
    third = [Click(user="2", item=str(item), time=2 * n) for item in range(2)]  # known by then, so that one is ranked
    events: list[Click | Rating] = [*clicks, *third, Rating(user="0", item="new", rating=1.0, time=2 * n)]
    for user in ("0", "1", "2"):
        engine.users.admit(user, None)
    # Lessons as the log brings them: decoded arrays are read-only, which for a kernel is another type.
    # More items than a catalogue has room for at first, and one with content.
    others = [Introduction(f"other {row}") for row in range(2000)]
    many = introduction([introduce(Item(item="0", title="First")), *others])
    engine.learn(decode_lessons(encode_lessons(many)), 0)
    for position, half in enumerate((events[:n], events[n : 2 * n], events[2 * n :]), 1):
        if position == 3:  # brings the eighth event of the item with content, which teaches what that is worth
            engine.items.catalogue.events[0] = MILESTONE - 1
        offsets = list(range(position * n, position * n + len(half)))
        source = Source("warm", "up", 0, offsets[0], offsets[-1])
        observation = engine.observe(Batch(half, [0] * len(half), offsets, [True] * len(half), [source]))
        engine.rank(observation)
        engine.learn(decode_lessons(encode_lessons(observation.lessons)), position)
    ListEncoder(engine.items.catalogue).encode(engine.refresh(np.array([0, 1], np.int32), 10, 5))
    engine.vectors(["0"])
    engine.similar(0, 5)
    engine.items.pairs.release(np.zeros(0, np.int32))
    (_, state), *_ = engine.users.changed().encoded()
    engine.users.clear()
    engine.users.admit("0", state)
