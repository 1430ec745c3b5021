"""Golden files: one small value in every wire format, and the bytes that it had when the format was set.

``python -m tests.golden`` says which formats no longer give these bytes. When that is meant, raise the format's
version, keep the old file, and run ``python -m tests.golden --write``.
"""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import numpy as np

from contracts.events import Click, Event, Impression, Item, Rating, User, encode, item_key
from contracts.learning import FORMAT as LEARNING
from contracts.learning import Forgotten, Introduction, Lessons, Source, encode_lessons
from contracts.marks import End, Mark, Wish, encode_mark, person, salt_key
from contracts.redis import Keys, encode_list, encode_vector
from contracts.topics import LEARNING as LEARNING_LOG
from contracts.topics import PUBLIC, REKEYED, topic_name
from models.arrivals import Arrivals
from models.user_state import FORMAT as USER
from models.users import Rebirth, UserTable

FOLDER = Path(__file__).parent
TIME = 1_700_000_000_000

EVENTS: dict[str, Event] = {
    "click": Click(
        "Zoë", "1193", TIME, "cart", 2.5, "e1", "4.17", "s9", {"page": "home", "position": 3, "tags": ["a", None]}
    ),
    "click-least": Click("u1", "i1"),
    "click-undo": Click("u1", "i1", TIME, "undo"),
    "rating": Rating("u1", "1193", 4.5, TIME, "77"),
    "impression": Impression("u1", ["i1", "日本"], "4.17", TIME, [0.75, 0.25], "b"),
    "item": Item("1193", "Crème brûlée", ["dessert", "a/b"], "Sweet.", ["new"], [0.5, -1.0], False, TIME + 1, TIME),
    "item-brand": Item("b1", "Boot", ["shoes"], brand="Alpine"),
    "item-deleted": Item("i1", deleted=True),
    "user": User("u1", attributes={"age": 33.0, "city": "Ulm", "member": True}),
    "user-forget": User("u1", forget=True),
}
VECTOR = np.array([0.0, 1.0, -0.5, 65504.0, 6e-8], np.float32)
LESSONS = Lessons(
    sources=[Source("headrace.clicks", "q8MP9d", 3, 100, 104), Source("headrace.ratings", "", 3, 2**40, 2**40)],
    items=["i1", "日本", "1193"],
    introduced=[
        Introduction("new"),
        Introduction("日本", 2**64 - 1, np.array([7, 2**32 - 1], "<u4").tobytes(), bytes([255, 1]), TIME),
    ],
    source=np.array([0, 0, 1], np.uint8),
    offset=np.array([100, 104, 2**40], np.int64),
    item=np.array([0, 1, 2], np.int32),
    time=np.array([TIME, TIME + 1, 0], np.int64),
    weight=np.array([1.0, 0.5, 3.0], np.float32),
    rating=np.array([np.nan, np.nan, 4.5], np.float32),
    rater=np.array([0, 0, 2**64 - 1], np.uint64),
    lengths=np.array([0, 2, 1], np.uint8),
    history=np.array([item_key("i1"), 0, 2**64 - 1], np.uint64),
    gap=np.array([0, 3600, 2**31 - 1], np.int32),
    kind=np.array([0, 8, 7], np.uint8),
    value=np.array([np.nan, -np.inf, 4.5], np.float16),
    attribute_lengths=np.array([2, 0, 1], np.uint8),
    attributes=np.array([0, 2**32 - 1, 7], np.uint32),
    had=np.array([0, 2, -1], np.int32),
    seen=np.array([2**64 - 1, item_key("i1")], np.uint64),
    forgotten=[Forgotten(2**64 - 1, "headrace.users", "q8MP9d", 3, 41)],
)
MARK = Mark(TIME, TIME + 5, 3, {"headrace.clicks": End("q8MP9d", 2**40)}, Wish("headrace.users", "q8MP9d", 3, 41))
SALT = bytes(range(32))
COLUMNS = [field.name for field in fields(Lessons) if field.name not in ("sources", "items", "introduced", "forgotten")]
HISTORY = [(item_key("i1"), TIME, 0), (item_key("1193"), TIME + 5, 7), (item_key("i1"), TIME - 5, 10)]
"""Of the golden user: (item key, time, type), oldest first."""
VALUES = [np.nan, 3.5, np.nan]
ATTRIBUTES = [7, 2**32 - 1]
SEEN = [item_key("i1"), item_key("1193")]


def user_state() -> bytes:
    """Return the stored form of the golden user."""
    keys, times, kinds = zip(*HISTORY, strict=True)
    table = UserTable(resident=1)
    table.admit("u1", None, Rebirth(TIME, (-1, -1)))
    table.describe(table.slot("u1"), np.array(ATTRIBUTES, np.uint32))
    table.apply(
        Arrivals(
            slot=np.zeros(3, np.int32),
            key=np.array(keys, np.uint64),
            identity=np.array([1, 2, 2**64 - 1], np.uint64),
            time=np.array(times, np.int64),
            kind=np.array(kinds, np.uint8),
            value=np.array(VALUES, np.float32),
            topic=np.array([0, 1, 0], np.int8),
            offset=np.array([41, 2**40, -1], np.int64),
        )
    )
    return table.encode(table.slot("u1"))


def user_list() -> bytes:
    """Return a list as readers find it."""
    reasons = [["embeddings", "1193", "i1"], ["followed"]]
    return encode_list("4.17", ["i1", "日本", "x"], [1.5, 0.25, -2.0], reasons, TIME, "12345", [4.25, 3.0])


def names() -> str:
    """Return the names of all keys and topics, one a line."""
    keys, item = Keys(), "a:{b}/日 %"
    lines = [
        keys.active, keys.withheld, keys.top("u1"), keys.top(item), keys.similar(item), keys.shared("popular"),
        keys.shared("trending"), keys.shared("latest"), keys.shared("popular", item), keys.categories,
        keys.item(item), keys.content(item), keys.user_vector(item), keys.item_vector(item), keys.state(3, item),
        keys.applied(3), keys.term(11), keys.watermark(3), keys.epoch(3), keys.trials(3), keys.workers,
        keys.sources, keys.probe,
        Keys("b", "shop").top("u1"),
        *(topic_name(topic, "headrace", "main") for topic in (*PUBLIC, LEARNING_LOG, *REKEYED.values())),
    ]  # fmt: skip
    return "".join(f"{line}\n" for line in lines)


def files() -> dict[str, bytes]:
    """Return the bytes that every golden file must have, by its name."""
    return {
        **{f"{name}.json": encode(event) for name, event in EVENTS.items()},
        "list.json": user_list(),
        "names.txt": names().encode(),
        "vector-1.bin": encode_vector(VECTOR),
        "mark.txt": b"\n".join((salt_key(SALT), person("Zo\u00eb", SALT), encode_mark(MARK), b"")),
        f"learning-{LEARNING}.bin": encode_lessons(LESSONS),
        f"user-{USER}.bin": user_state(),
    }


def changed() -> list[str]:
    """Return the golden files that differ from what the formats give now, or are missing."""
    return [
        name for name, value in files().items() if not (FOLDER / name).exists() or (FOLDER / name).read_bytes() != value
    ]
