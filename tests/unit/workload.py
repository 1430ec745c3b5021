"""Streams of events for the tests: small, random, repeatable; and the learning log that they give."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from contracts.events import NEGATIVE_TYPES, TYPES, Click, Rating
from contracts.learning import Introduction, Lessons, Source, introduction
from models.catalogue import Catalogue
from models.engine import Batch, Engine, Observation
from models.item_model import ItemModel

START = 1_700_000_000_000  # ms since the epoch
MINUTE_MS = 60_000
WISHES = tuple(name for name in TYPES if name not in NEGATIVE_TYPES)
Events = Sequence[Click | Rating]


def events(
    n: int, users: int = 20, items: int = 60, seed: int = 0, ratings: float = 0.2, types: Sequence[str] = TYPES
) -> list[Click | Rating]:
    """Return a stream in which some items are far more frequent than others, and items follow items by number.

    Nobody does anything to the same item twice in a row.
    """
    draw = np.random.default_rng(seed)
    last = {user: int(draw.integers(items)) for user in range(users)}
    stream: list[Click | Rating] = []
    for index in range(n):
        user = int(draw.integers(users))
        jump = draw.random() < 0.5
        item = int(items * draw.random() ** 2) if jump else (last[user] + int(draw.integers(1, 4))) % items
        item = (item + (item == last[user])) % items
        last[user] = item
        time = START + MINUTE_MS * index
        if draw.random() < ratings:
            stream.append(Rating(f"u{user}", f"i{item}", float(draw.integers(1, 6)), time))
        else:
            stream.append(Click(f"u{user}", f"i{item}", time, types[int(draw.integers(len(types)))]))
    return stream


def batch(part: Events, first: int) -> Batch:
    """Return events as they come from two topics that number their messages alike, from ``first`` on."""
    return Batch(
        events=part,
        source=[0 if isinstance(event, Click) else 1 for event in part],
        offset=list(range(first, first + len(part))),
        own=[True] * len(part),
        sources=[Source(topic, "id", 0, first, first + len(part) - 1) for topic in ("clicks", "ratings")],
    )


def observe(engine: Engine, part: Events, first: int = 0) -> Observation:
    """Apply events to the users' states; their users are made resident."""
    made = batch(part, first)
    for user in engine.users.missing(event.user for event in made.events):
        engine.users.admit(user, None)
    return engine.observe(made)


def run(engine: Engine, stream: Events, size: int) -> Iterator[Observation]:
    """Observe and learn a stream in batches; yields each observation between the two."""
    for position, start in enumerate(range(0, len(stream), size)):
        observation = observe(engine, stream[start : start + size], start)
        yield observation
        engine.learn(observation.lessons, position)


def introduce(model: ItemModel, names: Sequence[str]) -> NDArray[np.int32]:
    """Let a model know that items exist; return their rows."""
    model.learn(introduction([Introduction(name) for name in names]), model.position)
    return model.catalogue.admit(names)


def know(catalogue: Catalogue, rows: NDArray[np.int32]) -> None:
    """Count one event of each row, as the fold does."""
    for row in rows.tolist():
        if catalogue.events[row] == 0:
            catalogue.known[catalogue.n_known] = row
            catalogue.known_count[0] += 1
        catalogue.events[row] += 1


def learned(stream: Events, size: int = 100, engine: Engine | None = None) -> Engine:
    """Return an engine that has learned a stream."""
    engine = engine or Engine(resident_users=1000, rating_users=1000)
    for _ in run(engine, stream, size):
        pass
    return engine


def lessons(stream: Events) -> Lessons:
    """Return what a whole stream teaches, as one record."""
    return observe(Engine(resident_users=1000), stream).lessons


def stretch(whole: Lessons, start: int, stop: int) -> Lessons:
    """Return the record that covers only the offsets ``start`` … ``stop - 1`` of another."""
    held = (whole.offset >= start) & (whole.offset < stop)
    had = np.maximum(whole.had, 0)
    ids = [whole.items[index] for index in whole.item[held]]
    items = list(dict.fromkeys(ids))
    return Lessons(
        sources=[Source(source.topic, source.topic_id, source.partition, start, stop - 1) for source in whole.sources],
        items=items,
        introduced=[],
        source=whole.source[held],
        offset=whole.offset[held],
        item=np.array([items.index(item) for item in ids], np.int32),
        time=whole.time[held],
        gap=whole.gap[held],
        kind=whole.kind[held],
        weight=whole.weight[held],
        rating=whole.rating[held],
        rater=whole.rater[held],
        lengths=whole.lengths[held],
        history=whole.history[np.repeat(held, whole.lengths)],
        value=whole.value[np.repeat(held, whole.lengths)],
        attribute_lengths=whole.attribute_lengths[held],
        attributes=whole.attributes[np.repeat(held, whole.attribute_lengths)],
        had=whole.had[held],
        seen=whole.seen[np.repeat(held, had)],
    )


def moved(record: Lessons, topic_id: str) -> Lessons:
    """Return the same record of a topic that was deleted and created again."""
    sources = [Source(s.topic, topic_id, s.partition, s.first, s.last) for s in record.sources]
    return replace(record, sources=sources)
