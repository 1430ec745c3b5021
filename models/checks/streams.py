"""What the checks put into an engine, and what they ask it: small, without chance, the same on every machine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np

from contracts.events import NEGATIVE_TYPES, TYPES, Click, Rating
from contracts.learning import Source
from models.engine import Batch, Engine, Observation
from models.kernel import draw_below
from models.ranking import Scores, apart
from models.selection import NONE

Make = Callable[[int], Engine]
Law = Callable[[Make], None]
Events = Sequence[Click | Rating]

START = 1_700_000_000_000  # ms since the epoch
WISHES = tuple(name for name in TYPES if name not in NEGATIVE_TYPES)
USERS, ITEMS = 15, 60


class LawBroken(AssertionError):
    """An engine breaks a law; the text says which, and how."""


def demand(kept: bool, law: str) -> None:
    """Raise :class:`LawBroken` unless the law is kept."""
    if not kept:
        raise LawBroken(law)


def stream(n: int, seed: int = 0, types: Sequence[str] = TYPES, items: int = ITEMS) -> list[Click | Rating]:
    """Return events of fifteen users: some items frequent, some following others; sessions, breaks, ratings, dislikes.

    Nobody does anything to the same item twice in a row.
    """
    numbers = _numbers(seed)
    last = list(range(USERS))
    made: list[Click | Rating] = []
    time = START
    for _ in range(n):
        user = next(numbers) % USERS
        item = next(numbers) % items * (next(numbers) % items) // items
        if next(numbers) % 2:
            item = (last[user] + 1 + next(numbers) % 3) % items
        item = (item + (item == last[user])) % items
        last[user] = item
        time += (1000, 1000, 1000, 200_000, 7_000_000)[next(numbers) % 5]
        if next(numbers) % 5 == 0:
            made.append(Rating(f"u{user}", f"i{item}", 1.0 + next(numbers) % 5, time))
        else:
            made.append(Click(f"u{user}", f"i{item}", time, types[next(numbers) % len(types)]))
    return made


def visits(histories: Sequence[Sequence[str]], start: int, apart_ms: int = 1000) -> list[Click | Rating]:
    """Return the clicks of one new user for each history, his items in order."""
    return [
        Click(f"v{start}-{number}", item, start + 60_000 * number + apart_ms * place)
        for number, history in enumerate(histories)
        for place, item in enumerate(history)
    ]


def observe(engine: Engine, part: Events, first: int = 0) -> Observation:
    """Apply events that stand at these offsets, one topic holding them all; their users are made resident."""
    for user in engine.users.missing(str(event.user) for event in part):
        engine.users.admit(user, None)
    offsets = list(range(first, first + len(part)))
    source = Source("checks", "", 0, first, first + len(part) - 1)
    return engine.observe(Batch(part, [0] * len(part), offsets, [True] * len(part), [source]))


def learned(engine: Engine, events: Events, size: int = 100, first: int | None = None) -> Engine:
    """Return the engine after it has observed and learned events in batches, their offsets from ``first`` on."""
    if first is None:
        first = 1000 * engine.items.position
    for start in range(0, len(events), size):
        observation = observe(engine, events[start : start + size], first + start)
        engine.learn(observation.lessons, engine.items.position)
    return engine


def snapshot(engine: Engine) -> dict[str, Any]:
    """Return all that an engine knows but its position in the log: its items' state, and its users' stored forms."""
    items = engine.items.state()
    items.pop("position")
    users = {name: engine.users.encode(engine.users.slot(name)) for name in sorted(engine.users)}
    return {"items": items, "users": users}


def slots(engine: Engine, users: Sequence[str]) -> np.ndarray[Any, np.dtype[np.int32]]:
    """Return users' slots, after making them resident."""
    for user in engine.users.missing(users):
        engine.users.admit(user, None)
    return np.array([engine.users.slot(user) for user in users], np.int32)


def lists(engine: Engine, users: Sequence[str], n: int = 1000) -> list[dict[str, float]]:
    """Return each user's list: ids → scores, in the list's order."""
    made = engine.refresh(slots(engine, users), n, 5)
    ids = engine.items.catalogue.ids
    found = []
    for rows, scores in zip(made.rows, made.scores, strict=True):
        shown = rows[rows != NONE].tolist()
        demand(len(set(shown)) == len(shown), "a list holds an item twice")
        found.append({ids[row]: float(score) for row, score in zip(shown, scores, strict=False)})
    return found


def scores(engine: Engine, user: str) -> Scores:
    """Return what every scorer and the blend say to a user of all items."""
    profile = engine.views.now(slots(engine, [user]))
    tables = engine.items.tables()
    return apart(engine.items.embeddings.users(profile.recent)[0], profile, tables.known.copy(), tables)


def _numbers(seed: int) -> Iterator[int]:
    index = 0
    while True:
        yield int(draw_below(np.uint64(seed), np.uint64(index), 2**31))
        index += 1
