"""Observe, then learn: what the learning log does between two halves of a worker's engine, here at once.

Lag 0: an event is ranked, and its successor learned, when everything before it has been learned. A block is observed
whole, because what a user did does not depend on what is known of items; its lessons are then cut into records where
the order asks for it: before every event of the sample that is ranked. Items that have a record are introduced with the
record of their first event. Cuts follow from the stream alone, so two replays learn the same records, and they are the
evaluator's (:mod:`evaluation.drive`), so that both rank alike.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.events import item_key
from contracts.learning import Introduction, Lessons, Source, introduction
from evaluation.prequential import Prequential
from models.arrivals import APPLIED, DUPLICATE, Observed
from models.engine import Batch, Engine, Observation
from streams.replaying.merge import EVENT, ITEM, Entries
from streams.replaying.plan import Plan, Progress

_RAGGED = {"history": "lengths", "value": "lengths", "seen": "had", "attributes": "attribute_lengths"}
_COLUMNS = ("offset", "time", "gap", "kind", "weight", "rating", "rater", "lengths", "had", "attribute_lengths")
_MOST_SOURCES = 255  # a record refers to them by one byte


@dataclass(slots=True)
class _Stretch:
    """Events that are observed at once: the columns of entries that belong to them."""

    events: list[Any]
    source: NDArray[np.int32]
    offset: NDArray[np.int64]
    own: NDArray[np.bool_]


class Fold:
    """Folds blocks into an engine.

    Parameters
    ----------
    engine : Engine
    plan : Plan
    progress : Progress
        How far the item model has come; kept up to date here.
    records : mapping of str to Introduction
        Item → what its newest record says, for those that are not deleted.
    admit : callable
        Makes users resident.
    """

    def __init__(
        self,
        engine: Engine,
        plan: Plan,
        progress: Progress,
        records: Mapping[str, Introduction],
        admit: Callable[[Sequence[str]], None],
    ) -> None:
        self._engine, self._plan, self._progress = engine, plan, progress
        self._records, self._admit = records, admit
        self.quality = Prequential(**progress.quality)
        self.popularity = Prequential(**progress.popularity)
        self.duplicates = 0
        self._observed = progress.observed

    def block(self, entries: Entries, *, learns: bool = True) -> None:
        """Take over a block; without ``learns`` only into the users' states, because the item model has it."""
        others = np.flatnonzero(entries.kind != EVENT).tolist()
        start = 0
        described: list[tuple[str, NDArray[np.uint32]]] = []
        active: set[str] = set()  # users with events since `start`, as far as `looked`
        looked = 0
        for at in others:
            if entries.kind[at] == ITEM:
                if learns and self._is_news([entries.what[at]]):
                    self._stretch(entries, start, at, described, learns)
                    start, described, active, looked = at + 1, [], set(), at + 1
                    self._introduce(entries.what[at])
                continue
            active.update(
                what.user for what, kind in zip(entries.what[looked:at], entries.kind[looked:at], strict=True)
                if kind == EVENT
            )  # fmt: skip
            looked = at
            if entries.what[at][0] in active:  # what he did before is not to be learned with what is known now
                self._stretch(entries, start, at, described, learns)
                start, described, active = at, [], set()
            described.append(entries.what[at])
        self._stretch(entries, start, len(entries), described, learns)
        if learns:
            self._note(entries)
        else:
            self._observed = self._progress.observed

    def finish(self) -> None:
        """Say that everything of every partition was read, what could not be used included."""
        positions = self._progress.positions
        sources = [
            Source(part.topic, part.topic_id, part.partition, positions[number], part.end - 1)
            for number, part in enumerate(self._plan.parts)
            if part.kind in ("clicks", "ratings") and part.end > positions[number]
        ]
        for first in range(0, len(sources), _MOST_SOURCES):
            self._learn(replace(introduction([]), sources=sources[first : first + _MOST_SOURCES]))
        self._progress.positions = [part.end for part in self._plan.parts]

    def _note(self, entries: Entries) -> None:
        """Note how far it has come: to the end of this block."""
        progress = self._progress
        last = {number: index for index, number in enumerate(entries.source.tolist())}
        for number, index in last.items():
            progress.positions[number] = int(entries.offset[index]) + 1
            progress.times[number] = int(entries.time[index])
        progress.block += 1
        progress.observed = self._observed
        progress.quality, progress.popularity = asdict(self.quality), asdict(self.popularity)

    def _stretch(
        self,
        entries: Entries,
        start: int,
        end: int,
        described: list[tuple[str, NDArray[np.uint32]]],
        learns: bool,
    ) -> None:
        users = self._engine.users
        if described:
            self._admit([user for user, _ in described])
            for user, attributes in described:
                users.describe(users.slot(user), attributes)
        part = entries.take(slice(start, end))
        if len(part) and (part.kind != EVENT).any():
            part = part.take(np.flatnonzero(part.kind == EVENT))
        if not len(part):
            return
        stretch = _Stretch(part.what.tolist(), part.source, part.offset, part.own)
        n = len(part)
        self._admit([event.user for event in stretch.events])
        # Which choices teach the blend follows from the order of the stream, as in an evaluation of it.
        numbers = range(self._observed, self._observed + n)
        self._observed += n
        batch = Batch(stretch.events, [0] * n, part.offset.tolist(), part.own.tolist(), [], numbers)
        observation = self._engine.observe(batch)
        if learns:
            self._learn_stretch(stretch, observation)

    def _learn_stretch(self, stretch: _Stretch, observation: Observation) -> None:
        observed = observation.observed
        applied = observed.outcome == APPLIED
        self.duplicates += int((observed.outcome == DUPLICATE).sum())
        ranked = self._to_be_ranked(applied)
        cutter = _Cutter(stretch, observation, applied)
        cuts = sorted({0, *ranked, *self._few_sources(len(stretch.events))})
        for start, end in zip(cuts, [*cuts[1:], len(stretch.events)], strict=True):
            if start in ranked:
                self._rank(observation, start)
            lessons = cutter.cut(start, end)
            lessons.sources, lessons.source = self._sources(stretch, start, end, cutter.taught_between(start, end))
            lessons.introduced = [self._records[item] for item in self._is_news(lessons.items)]
            self._learn(lessons)

    def _to_be_ranked(self, applied: NDArray[np.bool_]) -> set[int]:
        """Return which events belong to the sample: every n-th that counts."""
        first, self._progress.applied = self._progress.applied, self._progress.applied + int(applied.sum())
        if not self._plan.score_every:
            return set()
        due = np.flatnonzero(applied)
        return set(due[(first + np.arange(len(due))) % self._plan.score_every == 0].tolist())

    def _rank(self, observation: Observation, event: int) -> None:
        part = slice(event, event + 1)
        observed = Observed(*(getattr(observation.observed, field.name)[part] for field in fields(Observed)))
        one = replace(
            observation,
            slots=observation.slots[part], observed=observed, keys=observation.keys[part],
            weight=observation.weight[part], gaps=observation.gaps[part],
        )  # fmt: skip
        ranks = self._engine.rank(one)
        self.quality.add(ranks.blend)
        self.popularity.add(ranks.popularity)

    def _is_news(self, items: list[str]) -> list[str]:
        """Return those of the items that have a record of which the model does not know."""
        if not self._records:
            return []
        catalogue = self._engine.items.catalogue
        if not items:
            return []
        rows = catalogue.rows(np.fromiter(map(item_key, items), np.uint64, len(items)))
        unknown = np.flatnonzero((rows < 0) | ~catalogue.introduced[rows]).tolist()
        return [items[index] for index in unknown if items[index] in self._records]

    def _introduce(self, item: str) -> None:
        if self._is_news([item]):
            self._learn(introduction([self._records[item]]))

    def _few_sources(self, n: int) -> range:
        """Return further cuts where a record might otherwise come from more partitions than it can name."""
        many = sum(part.kind in ("clicks", "ratings") for part in self._plan.parts) > _MOST_SOURCES
        return range(0, n, _MOST_SOURCES) if many else range(0)

    def _sources(
        self, stretch: _Stretch, start: int, end: int, taught: NDArray[np.int64]
    ) -> tuple[list[Source], NDArray[np.uint8]]:
        """Return the stretches of input that a record covers, and which of them each of its events is from.

        What lies before an event in its partition and could not be used is covered with it.
        """
        positions, parts = self._progress.positions, self._plan.parts
        numbers = stretch.source[start:end]
        distinct, backwards = np.unique(numbers[::-1], return_index=True)
        lasts = stretch.offset[start:end][len(numbers) - 1 - backwards].tolist()
        sources = []
        for number, last in zip(distinct.tolist(), lasts, strict=True):
            part = parts[number]
            sources.append(Source(part.topic, part.topic_id, part.partition, positions[number], last))
            positions[number] = last + 1
        return sources, np.searchsorted(distinct, stretch.source[taught]).astype(np.uint8)

    def _learn(self, lessons: Lessons) -> None:
        self._engine.learn(lessons, self._engine.items.position)


class _Cutter:
    """Cuts the lessons of a stretch between any two of its events."""

    def __init__(self, stretch: _Stretch, observation: Observation, applied: NDArray[np.bool_]) -> None:
        self._lessons = lessons = observation.lessons
        self._taught = np.flatnonzero(observation.observed.taught)
        self._applied = applied
        positions = {item: position for position, item in enumerate(lessons.items)}
        self._position = np.fromiter((positions.get(event.item, -1) for event in stretch.events), np.int64)
        self._position[~applied] = -1
        self._starts = {sizes: _starts(getattr(lessons, sizes)) for sizes in set(_RAGGED.values())}

    def taught_between(self, start: int, end: int) -> NDArray[np.int64]:
        """Return which of these events teach."""
        first, last = np.searchsorted(self._taught, (start, end))
        return self._taught[first:last]

    def cut(self, start: int, end: int) -> Lessons:
        """Return what the events from ``start`` to before ``end`` teach; without sources."""
        whole = self._lessons
        first, last = np.searchsorted(self._taught, (start, end))
        part = slice(first, last)
        used = np.unique(self._position[start:end])  # rising: in the order of their first appearance in the stretch
        used = used[used >= 0]
        return replace(
            whole,
            items=[whole.items[position] for position in used.tolist()],
            item=np.searchsorted(used, whole.item[part]).astype(np.int32),
            **{name: getattr(whole, name)[part] for name in _COLUMNS},
            **{
                name: getattr(whole, name)[self._starts[sizes][first] : self._starts[sizes][last]]
                for name, sizes in _RAGGED.items()
            },
        )


def _starts(sizes: NDArray[Any]) -> NDArray[np.int64]:
    starts = np.zeros(len(sizes) + 1, np.int64)
    np.cumsum(np.maximum(sizes, 0), out=starts[1:], dtype=np.int64)
    return starts
