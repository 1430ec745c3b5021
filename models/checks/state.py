"""Laws of what is kept: the same from the same, whole in a snapshot, apart from what came in, and bounded."""

from __future__ import annotations

import pickle
from dataclasses import fields

import numpy as np

from contracts.learning import Lessons
from models.checks.compare import differences
from models.checks.streams import Make, demand, learned, lists, observe, snapshot, stream

_SLACK = 64 * 1024  # bytes


def the_same_seed_gives_the_same_bytes(make: Make) -> None:
    """Two engines with one seed that learn one log are equal to the last bit, and show the same lists."""
    one, other = (learned(make(3), stream(500)) for _ in range(2))
    where = differences(snapshot(one), snapshot(other))
    demand(where == [], f"two engines with the same seed differ in {where}")
    demand(lists(one, ["u1", "u2"]) == lists(other, ["u1", "u2"]), "two engines with the same seed show other lists")


def snapshots_resume(make: Make) -> None:
    """A restored engine has the same bytes as the one that was saved, shows the same, and goes on alike."""
    events = stream(1200)
    engine, restored = learned(make(0), events[:700]), make(0)
    kept = engine.items.state()
    restored.items.restore(kept)
    for user in engine.users:
        restored.users.admit(user, engine.users.encode(engine.users.slot(user)))
    where = differences(snapshot(engine), snapshot(restored))
    demand(where == [], f"a restored engine differs in {where}")
    users = [f"u{n}" for n in range(5)]
    demand(lists(engine, users) == lists(restored, users), "a restored engine shows other lists")
    for each in (engine, restored):
        learned(each, events[700:], first=700)
    where = differences(snapshot(engine), snapshot(restored))
    demand(where == [], f"a restored engine learns another {where}")
    demand(engine.items.position == restored.items.position, "a restored engine stands elsewhere in the log")


def snapshots_stay_as_they_were(make: Make) -> None:
    """A snapshot does not change while learning goes on, so that it can be written meanwhile."""
    events = stream(400)
    engine, twin = (learned(make(0), events[:200]) for _ in range(2))
    kept = snapshot(engine)
    learned(engine, events[200:], first=200)
    where = differences(kept, snapshot(twin))
    demand(where == [], f"a snapshot changed later in {where}")


def inputs_are_not_kept(make: Make) -> None:
    """Lessons are read, not changed and not kept: their arrays may be used for something else afterwards."""
    events = stream(400)
    expected, engine = learned(make(0), events, 50), make(0)
    for first in range(0, 400, 50):
        part = list(events[first : first + 50])
        lessons = observe(engine, part, first).lessons
        columns = [getattr(lessons, field.name) for field in fields(Lessons)]
        arrays = [column for column in columns if isinstance(column, np.ndarray)]
        before = [array.copy() for array in arrays]
        engine.learn(lessons, engine.items.position)
        same = all(array.tobytes() == copy.tobytes() for array, copy in zip(arrays, before, strict=True))
        demand(same, "learning changed the lessons")
        for column in (*columns, part):
            column[:] = column[::-1].copy()  # as good as any other, and not what was learned
    where = differences(snapshot(expected), snapshot(engine))
    demand(where == [], f"when lessons are overwritten after they were learned, {where} change")


def memory_is_bounded(make: Make) -> None:
    """With no more users and items, more events take no more memory.

    Measured is the pickle of all that hangs on the engine, before and after four thousand events of the same users with
    the same items. This is lenient on purpose: it finds what keeps every event, not what keeps one too many.
    """
    events = stream(8000)
    engine = learned(make(0), events[:4000], 500)
    before = len(pickle.dumps(vars(engine)))
    learned(engine, events[4000:], 500, first=4000)
    grown = len(pickle.dumps(vars(engine))) - before
    demand(grown < _SLACK, f"4,000 events made an engine of {before:,} bytes {grown:,} bytes larger")
