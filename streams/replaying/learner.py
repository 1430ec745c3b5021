"""The second half of a replay's fold: what was observed goes into the item model, record by record.

Records are cut where the order asks for it: before every event of the sample that is ranked, so that it is ranked when
everything before it has been learned. Items that have a record are introduced with the record of their first event.
Cuts follow from the stream alone, so two replays learn the same records, and they are the evaluator's
(:mod:`evaluation.drive`), so that both rank alike.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace

import numpy as np
from numpy.typing import NDArray

from contracts.cutting import Cutter
from contracts.events import item_key
from contracts.learning import Introduction, Lessons, Source, introduction
from evaluation.prequential import Prequential
from models.engine import Engine
from streams.replaying.merge import Entries
from streams.replaying.observing import Stretch
from streams.replaying.plan import Plan, Progress

_MOST_SOURCES = 255  # a record refers to them by one byte


class Learner:
    """Learns stretches.

    Parameters
    ----------
    engine : Engine
    plan : Plan
    progress : Progress
        How far the item model has come; kept up to date here.
    records : mapping of str to Introduction
        Item → what its newest record says, for those that are not deleted.
    """

    def __init__(self, engine: Engine, plan: Plan, progress: Progress, records: Mapping[str, Introduction]) -> None:
        self._engine, self._plan, self._progress, self._records = engine, plan, progress, records
        self._crowd = sum(part.kind in ("clicks", "ratings") for part in plan.parts) > _MOST_SOURCES
        self.quality = Prequential(**progress.quality)
        self.popularity = Prequential(**progress.popularity)
        self.duplicates = 0

    def block(self, entries: Entries, stretches: Sequence[Stretch]) -> None:
        """Learn what was observed of a block."""
        for stretch in stretches:
            self._stretch(stretch)
        progress = self._progress
        last = {number: index for index, number in enumerate(entries.source.tolist())}
        for number, index in last.items():
            progress.positions[number] = int(entries.offset[index]) + 1
            progress.times[number] = int(entries.time[index])
        progress.block += 1
        progress.observed += sum(map(len, stretches))
        progress.quality, progress.popularity = asdict(self.quality), asdict(self.popularity)

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

    def _stretch(self, stretch: Stretch) -> None:
        self.duplicates += stretch.duplicates
        self._progress.applied += stretch.applied
        cutter, n, done = Cutter(stretch.observation.lessons), len(stretch), 0
        described: dict[int, list[str]] = {}
        for at, item in stretch.described:
            described.setdefault(at, []).append(item)
        # Further cuts where a record might otherwise come from more partitions than it can name.
        few = range(0, n, _MOST_SOURCES) if self._crowd else range(0)
        for at in sorted({*stretch.ranked, *described, *few, n}):
            news = self._news(described.get(at, []))
            if at > done and (news or at in stretch.ranked or at in few or at == n):
                self._part(stretch, cutter, done, at)
                done = at
            for item in self._news(news):  # what came with an event meanwhile is none any more
                self._learn(introduction([self._records[item]]))
            if at in stretch.ranked:
                event, had = stretch.ranked[at]
                ranks = self._engine.rank(event, had)
                self.quality.add(ranks.blend)
                self.popularity.add(ranks.popularity)

    def _part(self, stretch: Stretch, cutter: Cutter, start: int, end: int) -> None:
        """Learn the events from ``start`` to before ``end`` as one record."""
        taught = np.flatnonzero(stretch.observation.observed.taught[start:end]) + start
        first = int(stretch.observation.observed.taught[:start].sum())
        used = np.unique(stretch.position[start:end])  # rising: in the order of their first appearance in the stretch
        used = used[used >= 0]
        sources, source = self._sources(stretch, start, end, taught)
        lessons = cutter.part(first, first + len(taught), used, sources)
        lessons.source = source
        lessons.introduced = [self._records[item] for item in self._news(lessons.items)]
        self._learn(lessons)

    def _news(self, items: list[str]) -> list[str]:
        """Return those of the items that have a record of which the model does not know."""
        if not self._records or not items:
            return []
        catalogue = self._engine.items.catalogue
        rows = catalogue.rows(np.fromiter(map(item_key, items), np.uint64, len(items)))
        unknown = np.flatnonzero((rows < 0) | ~catalogue.introduced[rows]).tolist()
        return [items[index] for index in unknown if items[index] in self._records]

    def _sources(
        self, stretch: Stretch, start: int, end: int, taught: NDArray[np.int64]
    ) -> tuple[list[Source], NDArray[np.uint8]]:
        """Return the stretches of input that a record covers, and which of them each event that teaches is from.

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
