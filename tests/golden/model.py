"""The golden checkpoint: a small item model with something in every part.

Its numbers come out of floating-point kernels, which differ in the last bits from processor to processor. So the file
is written once, by the version that set the format, and never compared with what a model of today would learn: it must
be read, whole, and be written back as it was.
"""

from __future__ import annotations

import lzma
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from contracts.events import Click, Item, Rating
from contracts.learning import Forgotten, Source, introduction, oblivion
from models.attributes import features
from models.content.terms import introduce
from models.engine import Batch, Engine
from models.item_model import FORMAT, ItemModel
from models.life import Life
from models.ratings import rater
from streams.learning.checkpoints import Checkpoints

FILE = f"model-{FORMAT}.xz"
SEED = 4
LOG = "q8MP9d"
"""Id of the learning log that it was learned from."""
TIME = 1_700_000_000_000
DAY_MS = 86_400_000
FORGOTTEN = Forgotten(rater("u2"), "headrace.users", "q8MP9d", 0, 41)
INTRODUCED = [
    introduce(Item("new", "Crème brûlée", ["dessert", "a/b"], "Sweet.", ["new"], created=TIME)),
    introduce(Item("i3", "Boot", ["shoes"], brand="Alpine")),
]


def new() -> ItemModel:
    """Return a model into which the golden checkpoint fits."""
    return ItemModel(SEED, rating_users=10)


def learned() -> ItemModel:
    """Return the golden model, learned anew: 40 items, of which one has left, 5 users, of whom one was forgotten."""
    engine = Engine(SEED, resident_users=10, rating_users=10, life=Life(idle_days=30))
    for user in range(5):
        engine.users.admit(f"u{user}", None)
    engine.users.describe(engine.users.slot("u1"), features({"age": 33.0, "city": "Ulm"}))
    engine.learn(introduction(INTRODUCED), 0)
    events: list[Click | Rating] = [Click("u0", "left", TIME - 60 * DAY_MS)]
    for index in range(119):
        user, item, time = f"u{index % 5}", f"i{index * 7 % 38}", TIME + 60_000 * index
        events.append(Rating(user, item, 1.0 + index % 5, time) if index % 4 == 0 else Click(user, item, time))
    for position, first in enumerate(range(0, len(events), 40), 1):
        part = events[first : first + 40]
        numbers = range(first, first + len(part))
        source = Source("headrace.clicks", "q8MP9d", 0, numbers[0], numbers[-1])
        batch = Batch(part, [0] * len(part), numbers, [True] * len(part), [source])
        engine.learn(engine.observe(batch).lessons, position)
    engine.learn(oblivion([FORGOTTEN]), 4)
    return engine.items


def written(state: dict[str, Any]) -> bytes:
    """Return a state as a checkpoint holds it."""
    with TemporaryDirectory() as folder:
        return Path(Checkpoints(folder, print, LOG).write(state)).read_bytes()


def put(path: Path, folder: Path) -> Checkpoints:
    """Lay a golden file where a worker finds its checkpoints."""
    (folder / f"{0:020d}.model").write_bytes(lzma.decompress(path.read_bytes()))
    return Checkpoints(str(folder), print, LOG)


def write(path: Path) -> None:
    """Write the golden file."""
    path.write_bytes(lzma.compress(written(learned().state())))
