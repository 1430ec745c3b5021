"""Histories from a file into a fresh namespace: what our own export wrote, or what another system knows.

States are written as the file says. The item model learns the same events in the order of their times, as a replay
would, and its checkpoint is what workers of the namespace start from; they go on with what Kafka gets from then on.

Nothing goes through the topics: these belong to all namespaces, so the others would learn it again, and every replay.
Events that Kafka is to keep go by ``headrace publish`` instead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from itertools import accumulate
from pathlib import Path

import msgspec
import numpy as np

from contracts.events import Click, InvalidEvent, Item, Rating, decode, encode
from contracts.learning import Source, introduction
from contracts.redis import encode_vector
from contracts.topics import CLICKS, ITEMS, LEARNING, RATINGS, partition_of, topic_name
from evaluation.rows import Dropped, opened
from infra.errors import HeadraceError
from infra.settings import Settings
from models.engine import Batch, Engine
from models.user_state import encode_state
from serving.store.store import Store
from streams.applying.lists import ListMaker
from streams.forgetting.histories import Entry, History, event_of, is_key, state_of
from streams.forgetting.marks import Marks, now_ms
from streams.kafka.admin import ensure_topics, topic_ids
from streams.kafka.whole import next_offsets, read_whole
from streams.learning.checkpoints import Checkpoints
from streams.learning.engine import create_engine, limits_of

_AT_ONCE = 512
_SOURCE = "import", "", 0


class _Line(msgspec.Struct):
    """Any line of a file: a history, an event, or what our export says of an item, which is for reading only."""

    user: str | int | None = None
    history: list[Entry] | None = None
    earlier: list[str | int] = []
    attributes: list[str] | dict[str, str | float | bool] = []
    item: str | int | None = None
    time: int = 0
    type: str = "click"
    rating: float | None = None
    id: str | int | None = None


_decode = msgspec.json.Decoder(_Line).decode


@dataclass
class Histories:
    """A file's histories.

    Attributes
    ----------
    of : dict of str to History
        By user.
    items : int
        Lines about items, which are not needed.
    dropped : dict of str to (int, Dropped)
        Reason → how many lines or events cannot be used for it, and the first of them.
    """

    of: dict[str, History] = field(default_factory=dict)
    items: int = 0
    dropped: dict[str, tuple[int, Dropped]] = field(default_factory=dict)

    def drop(self, row: Dropped) -> None:
        """Count what cannot be used."""
        count, first = self.dropped.get(row.reason, (0, row))
        self.dropped[row.reason] = count + 1, first


def read_histories(path: Path | None, marks: Marks) -> Histories:
    """Read a file, plain or compressed by zstandard, or standard input.

    A history stays in its order; single events come in the order of their times. What was before somebody was forgotten
    is left out: the file may be older than his wish.

    Raises
    ------
    DatasetError
        When it cannot be read.
    """
    found, loose = Histories(), set[str]()
    with opened(path) as file:
        for number, line in enumerate(file, 1):
            try:
                read = _decode(line)
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
                found.drop(Dropped.of("malformed", number, line, str(error)))
                continue
            if read.user is None and read.item is not None:
                found.items += 1
            elif read.user is None or (read.history is None and read.item is None):
                found.drop(Dropped.of("invalid", number, line, "expected a user with a history, or a user and an item"))
            else:
                _take(found, read, number, line, marks)
                if read.history is None:
                    loose.add(str(read.user))
    for user in loose:
        found.of[user].history.sort(key=lambda entry: entry.time)
    return found


def _take(found: Histories, read: _Line, number: int, line: bytes, marks: Marks) -> None:
    user = str(read.user)
    history = found.of.setdefault(user, History(user, []))
    entries = read.history
    if entries is None:
        entries = [Entry(read.item or "", read.time, read.type, read.rating, id=read.id)]
    for entry in entries:
        try:
            event = event_of(user, entry)
            decode(type(event), encode(event), user.encode("utf-8", "surrogatepass"), now_ms())
        except InvalidEvent as error:
            found.drop(Dropped.of(error.reason, number, line, error.detail))
            continue
        if not marks.skips(user, "", -1, -1, entry.time):
            history.history.append(entry)
    if marks.of(user) is None:
        history.earlier += read.earlier
        history.attributes = read.attributes or history.attributes


class Importer:
    """Brings histories into a namespace.

    Parameters
    ----------
    engine : Engine
        A new one.
    store : Store
        Of the namespace.
    lists : ListMaker
        Of the same engine.
    marks : Marks
    ends : mapping of str to mapping of int to int
        Full names of the topics of clicks and of ratings, in this order → partition → where it ends now.
    """

    def __init__(
        self, engine: Engine, store: Store, lists: ListMaker, marks: Marks, ends: Mapping[str, Mapping[int, int]]
    ) -> None:
        self._engine, self._store, self._lists, self._marks, self._ends = engine, store, lists, marks, ends
        self._run_id = store.run_id()
        self._epochs = store.raise_epochs(next(iter(ends.values())))

    def learn(self, histories: Histories, on_events: Callable[[int], None]) -> int:
        """Let the item model learn all events whose items have ids; return how many there were."""
        events = list(_merged(histories))
        items = {str(item): None for history in histories.of.values() for item in history.earlier}
        known = [item for item in items if not is_key(item)]
        # No event is known of them; a row gives their keys back their ids.
        self._engine.learn(replace(introduction([]), items=known), self._engine.items.position)
        parked: dict[str, bytes] = {}
        for start in range(0, len(events), _AT_ONCE):
            batch = events[start : start + _AT_ONCE]
            users = self._engine.users
            for user in users.missing(event.user for event in batch):
                users.admit(user, parked.get(user))
            offsets = list(range(start, start + len(batch)))
            source = Source(*_SOURCE, first=offsets[0], last=offsets[-1])
            observation = self._engine.observe(
                Batch(batch, [0] * len(batch), offsets, [False] * len(batch), [source])
            )  # fmt: skip
            self._engine.learn(observation.lessons, self._engine.items.position)
            parked.update(users.changed().encoded())
            users.evict()
            on_events(len(batch))
        self._engine.users.clear()
        return len(events)

    def write(self, histories: Histories, on_users: Callable[[int], None]) -> int:
        """Write states, lists and vectors of all users; return how many there were."""
        users = sorted(user for user, history in histories.of.items() if history.history or history.earlier)
        for start in range(0, len(users), _AT_ONCE):
            part = users[start : start + _AT_ONCE]
            states = [self._state(histories.of[user]) for user in part]
            table = self._engine.users
            for (_, user, state), rebirth in zip(states, map(self._marks.rebirth, part), strict=True):
                table.admit(user, state, rebirth)
            homes = {user: home for home, user, _ in states}
            vectors = [(homes[user], user, encode_vector(vector)) for user, vector in self._engine.vectors(part)]
            made = self._lists.make(np.array([table.slot(user) for user in part], np.int32))
            refused = self._store.write_states(states, vectors, self._epochs)
            refused |= self._store.write_lists([(homes[user], user, value) for user, value in made], {}, self._epochs)
            self._check(refused)
            table.clear()
            on_users(len(part))
        return len(users)

    def finish(self, checkpoints: Checkpoints) -> None:
        """Write the checkpoint and, last, that the states contain what Kafka had: workers go on from there."""
        self._engine.items.position = 0  # of the learning log, which is empty
        checkpoints.write(self._engine.items.state())
        reached = {(topic, number): end for topic, ends in self._ends.items() for number, end in ends.items()}
        self._check(self._store.write_applied(reached, {}, self._epochs, dict.fromkeys(self._epochs, self._run_id)))

    def _check(self, refused: frozenset[int]) -> None:
        if refused:
            raise HeadraceError("a worker of this namespace has started meanwhile: import into one with another name")

    def _state(self, history: History) -> tuple[int, str, bytes]:
        user = str(history.user)
        clicks, ratings = self._ends.values()
        home = partition_of(user, len(clicks))
        rebirth = self._marks.rebirth(user)
        generation = rebirth.generation if rebirth else 0
        state = state_of(history, generation, (clicks[home] - 1, ratings[home] - 1))
        return home, user, encode_state(state)


def begin(settings: Settings, store: Store) -> Importer:
    """Return an importer into the namespace of the settings, which must be new; its learning log is created.

    Raises
    ------
    HeadraceError
        When somebody has used the namespace before, or Kafka does not answer.
    """
    ensure_topics(settings)
    clicks, ratings, log = (
        topic_name(topic, settings.kafka.prefix, settings.namespace) for topic in (CLICKS, RATINGS, LEARNING)
    )
    ends = next_offsets(settings, [clicks, ratings, log])
    engine = create_engine(settings)
    used = "Redis" if store.applied(ends[clicks]) else "its learning log" if ends[log][0] else ""
    used = used or ("checkpoints" if checkpoints_of(settings).newest() is not None else "")
    if used:
        raise HeadraceError(
            f"namespace {settings.namespace!r} is in use already ({used}): import into one with another name"
        )
    know_items(engine, settings)
    model = settings.model
    lists = ListMaker(engine, model.list_length, model.reasons, lambda _: 0, limits_of(settings))
    return Importer(engine, store, lists, Marks.read(settings), {clicks: ends[clicks], ratings: ends[ratings]})


def checkpoints_of(settings: Settings) -> Checkpoints:
    """Return the checkpoints of the settings' namespace."""
    log = topic_name(LEARNING, settings.kafka.prefix, settings.namespace)
    return Checkpoints(settings.checkpoints, lambda _: None, topic_ids(settings, [log])[log])


def know_items(engine: Engine, settings: Settings) -> None:
    """Let an engine know which items may be shown, from the topic of items as it stands now."""
    for message in read_whole(settings, topic_name(ITEMS, settings.kafka.prefix, settings.namespace)):
        try:
            value, key = message.value(), message.key() or b""
            item = (
                Item(key.decode(), deleted=True) if value is None else decode(Item, value, key, message.timestamp()[1])
            )
        except (InvalidEvent, UnicodeDecodeError):
            continue
        engine.availability.put(item, now_ms())
        engine.labels.put(item)


def _merged(histories: Histories) -> Iterator[Click | Rating]:
    """Yield all events in the order of their times, never changing the order within a history."""
    entries = []
    for user, history in histories.of.items():
        known = [entry for entry in history.history if not is_key(str(entry.item))]
        stamps = accumulate((entry.time for entry in known), max)
        entries += [(stamp, user, entry) for stamp, entry in zip(stamps, known, strict=True)]
    entries.sort(key=lambda each: each[:2])
    for _, user, entry in entries:
        yield event_of(user, entry)
