"""The first half of a replay's fold: events into the states of their users, and what they teach.

What a user did does not depend on what is known of items, so events are observed many at once, and ahead of what is
being learned. All that the second half needs of users is taken along, because states change on meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.arrivals import APPLIED, DUPLICATE, Observed
from models.engine import Batch, Engine, Had, Observation
from streams.replaying.merge import EVENT, ITEM, Entries
from streams.replaying.plan import Progress


@dataclass(slots=True)
class Stretch:
    """Events that were observed at once, shape (n,).

    Attributes
    ----------
    source : ndarray of int32
        Position of each event's partition in the plan.
    offset : ndarray of int64
        Kafka's.
    position : ndarray of int64
        Position of each event's item among those of the lessons, -1 where it did not count.
    observation : Observation
    ranked : dict of int to (Observation, Had)
        Events that are to be ranked before they are learned → the event alone, and what its user had had before.
    described : list of (int, str)
        Items of which a record stands before so many of the events.
    """

    source: NDArray[np.int32]
    offset: NDArray[np.int64]
    position: NDArray[np.int64]
    observation: Observation
    ranked: dict[int, tuple[Observation, Had]] = field(default_factory=dict)
    described: list[tuple[int, str]] = field(default_factory=list)

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.source)

    @property
    def applied(self) -> int:
        """How many events counted."""
        return int((self.observation.observed.outcome == APPLIED).sum())

    @property
    def duplicates(self) -> int:
        """How many were repeats of earlier ones."""
        return int((self.observation.observed.outcome == DUPLICATE).sum())


class Observer:
    """Observes blocks.

    Parameters
    ----------
    engine : Engine
    score_every : int
        Every n-th event that counts is ranked; 0 = none.
    progress : Progress
        How far the item model had come at the beginning.
    admit : callable
        Makes users resident.
    """

    def __init__(
        self, engine: Engine, score_every: int, progress: Progress, admit: Callable[[Sequence[str]], None]
    ) -> None:
        self._engine, self._score_every, self._admit = engine, score_every, admit
        self.observed = progress.observed
        self._applied = progress.applied

    def again(self, entries: Entries) -> None:
        """Take over a block into the users' states only: the item model has learned it."""
        observed = self.observed
        for _ in self._stretches(entries):
            pass
        self.observed = observed

    def block(self, entries: Entries) -> list[Stretch]:
        """Take over a block; return what is to be learned of it, in order."""
        stretches = []
        for stretch in self._stretches(entries):
            self._choose(stretch)
            stretches.append(stretch)
        return stretches

    def _stretches(self, entries: Entries) -> Iterator[Stretch]:
        """Observe a block, in one piece but where somebody is described who has done something since its beginning."""
        start = looked = 0
        described: list[tuple[str, NDArray[np.uint32]]] = []
        active: set[str] = set()  # users with events since `start`, as far as `looked`
        for at in np.flatnonzero((entries.kind != EVENT) & (entries.kind != ITEM)).tolist():
            active.update(
                what.user for what, kind in zip(entries.what[looked:at], entries.kind[looked:at], strict=True)
                if kind == EVENT
            )  # fmt: skip
            looked = at
            if entries.what[at][0] in active:  # what he did before is not to be learned with what is known now
                yield self._stretch(entries.take(slice(start, at)), described)
                start, described, active = at, [], set()
            described.append(entries.what[at])
        yield self._stretch(entries.take(slice(start, None)), described)

    def _stretch(self, entries: Entries, described: list[tuple[str, NDArray[np.uint32]]]) -> Stretch:
        users = self._engine.users
        if described:
            self._admit([user for user, _ in described])
            for user, attributes in described:
                users.describe(users.slot(user), attributes)
        is_event = entries.kind == EVENT
        before = np.cumsum(is_event) - is_event
        items = [(int(before[at]), entries.what[at]) for at in np.flatnonzero(entries.kind == ITEM).tolist()]
        part = entries if is_event.all() else entries.take(np.flatnonzero(is_event))
        events, n = part.what.tolist(), len(part)
        self._admit([event.user for event in events])
        # Which choices teach the blend follows from the order of the stream, as in an evaluation of it.
        numbers = range(self.observed, self.observed + n)
        self.observed += n
        batch = Batch(events, [0] * n, part.offset.tolist(), part.own.tolist(), [], numbers)
        observation = self._engine.observe(batch)
        positions = {item: position for position, item in enumerate(observation.lessons.items)}
        position = np.fromiter((positions.get(event.item, -1) for event in events), np.int64, n)
        position[observation.observed.outcome != APPLIED] = -1
        return Stretch(part.source, part.offset, position, observation, described=items)

    def _choose(self, stretch: Stretch) -> None:
        """Choose the events of a stretch that are to be ranked: every n-th that counts."""
        due = np.flatnonzero(stretch.observation.observed.outcome == APPLIED)
        first, self._applied = self._applied, self._applied + len(due)
        if not self._score_every:
            return
        for event in due[(first + np.arange(len(due))) % self._score_every == 0].tolist():
            one = _alone(stretch.observation, event)
            stretch.ranked[event] = one, self._engine.users.seen(one.slots, one.observed.n_seen)


def _alone(observation: Observation, event: int) -> Observation:
    part = slice(event, event + 1)
    columns: dict[str, Any] = {each.name: getattr(observation.observed, each.name)[part] for each in fields(Observed)}
    return replace(
        observation,
        slots=observation.slots[part], observed=Observed(**columns), keys=observation.keys[part],
        weight=observation.weight[part], gaps=observation.gaps[part],
    )  # fmt: skip
