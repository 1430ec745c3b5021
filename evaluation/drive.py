"""Drives an engine through a stream and ranks: observe, learn what lies before, rank, observe on.

It is the engine that the worker runs, through the same calls. What a user did does not depend on what is known of
items, so events are observed many at once and any distance ahead; learned is exactly what a plan says when an event is
ranked, or, with a lag, that many events less, as when the learning log is behind. Several plans over the same stream
share one pass.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from contracts.events import Item
from contracts.learning import Introduction, introduction
from evaluation.contenders import OF_THE_ENGINE, Contender, Learned, Moment
from evaluation.log import Log, source
from evaluation.placings import Placings
from evaluation.protocols import Plan
from evaluation.replicas import ReplicatedLog
from models import ranking
from models.arrivals import APPLIED
from models.content.terms import introduce
from models.engine import Batch, Engine, Observation

_AHEAD = 4096  # events observed at once: 6 µs an event then, 140 µs one by one
_STEP = 128  # rankings between two words on the progress


class Drive:
    """One pass over a stream.

    Parameters
    ----------
    plans : sequence of Plan
        All over the same stream; each has its own placings.
    engine : Engine
        A fresh one.
    contenders : mapping of str to Contender
    k : int
        Length of the lists.
    wishes : ndarray of bool
        Which events of the stream are ranked at all.
    repeats : bool
        Whether items that the user has had are ranked, and compete.
    newcomers : bool
        Whether users' first events are ranked.
    lag : int
        How many events learning is behind.
    content : mapping of str to Item
        Item → its record. The engine is told of it when the item comes for the first time.
    firsts : bool
        Whether an item's first event is ranked, too: its record is published before it.
    replicas : int
        How many workers share the users; more than one write their lessons one after the other, see
        :mod:`evaluation.replicas`.
    """

    def __init__(
        self,
        plans: Sequence[Plan],
        engine: Engine,
        contenders: Mapping[str, Contender],
        k: int,
        wishes: NDArray[np.bool_],
        repeats: bool = False,
        newcomers: bool = False,
        lag: int = 0,
        content: Mapping[str, Item] | None = None,
        firsts: bool = False,
        replicas: int = 1,
    ) -> None:
        self._plans, self._stream, self._engine, self._contenders = plans, plans[0].stream, engine, contenders
        self._wishes, self._repeats, self._newcomers = wishes, repeats, newcomers
        self._learned_in_all = max(plan.learned for plan in plans)
        self._content, self._firsts = content or {}, firsts
        self._introduced: set[str] = set()
        self._log = ReplicatedLog(self._stream.user, replicas, lag) if replicas > 1 else Log()
        # Only whole windows of so many events are learned then, on average half a window late.
        self._lag = lag // 2 if replicas > 1 else lag
        self._records, self._learned, self._engine_s = 0, 0, 0.0
        self._observed = 0
        self._chunks: dict[int, Observation] = {}  # first event → what was observed, while some of it is to be ranked
        chosen = np.concatenate([plan.chosen for plan in plans])
        self._to_be_ranked = np.bincount(chosen // _AHEAD, minlength=len(self._stream) // _AHEAD + 1) > 0
        self._scored_at_once = not set(OF_THE_ENGINE).isdisjoint(contenders)
        self._placings = [Placings.room(len(plan.chosen), contenders, k) for plan in plans]

    def run(self, on_progress: Callable[[int], None] = lambda events: None) -> list[Placings]:
        """Go through the stream; ``on_progress`` is told how many events are done."""
        for user in self._stream.users:
            self._engine.users.admit(user, None)
        for index, (until, event, plan) in enumerate(self._rankings()):
            self._observe_through(event)
            self._learn(until - self._lag)
            self._rank(self._placings[plan], event)
            if not index % _STEP:
                on_progress(until)
        self._observe_through(self._learned_in_all - 1)
        self._learn(self._learned_in_all)
        on_progress(len(self._stream))
        for placings in self._placings:
            placings.trim()
            placings.learned, placings.engine_s = self._learned, self._engine_s
        return self._placings

    def _rankings(self) -> Iterator[tuple[int, int, int]]:
        """Yield how far to learn, which event to rank then, and for which plan, in the order of learning."""
        event = np.concatenate([plan.chosen for plan in self._plans])
        until = np.concatenate([np.minimum(plan.chosen, plan.learned) for plan in self._plans])
        plan = np.repeat(np.arange(len(self._plans)), [len(plan.chosen) for plan in self._plans])
        order = np.lexsort((plan, event, until))
        # A chunk is kept until the last ranking of any of its events.
        ordered = event[order] // _AHEAD
        last = np.zeros(len(order), np.bool_)
        last[len(order) - 1 - np.unique(ordered[::-1], return_index=True)[1]] = True
        columns = (until[order], event[order], plan[order], last)
        for row in zip(*(column.tolist() for column in columns), strict=True):
            yield row[:3]
            if row[3]:
                del self._chunks[row[1] // _AHEAD * _AHEAD]

    def _observe_through(self, event: int) -> None:
        while self._observed <= event:
            first = self._observed
            self._observed = min(first + _AHEAD, len(self._stream))
            observation = self._observe(first, self._observed)
            if self._to_be_ranked[first // _AHEAD]:
                self._chunks[first] = observation

    def _observe(self, first: int, last: int) -> Observation:
        began = time.perf_counter()
        n = last - first
        events = self._stream.events(first, last)
        offsets = list(range(first, last))
        observation = self._engine.observe(Batch(events, [0] * n, offsets, [True] * n, [source(first, last - 1)]))
        if (observation.observed.outcome != APPLIED).any():
            raise RuntimeError(f"the engine refused some of the events {first} to {last - 1}: another stream is ranked")
        self._log.append(observation.lessons)
        self._engine_s += time.perf_counter() - began
        return observation

    def _learn(self, until: int) -> None:
        for lessons in self._log.take(until):
            lessons.introduced = self._introductions(lessons.items)
            began = time.perf_counter()
            self._engine.learn(lessons, self._records)
            self._engine_s += time.perf_counter() - began
            self._records += 1
            wished = lessons.weight > 0
            rows = self._engine.items.catalogue.admit(lessons.items)[lessons.item[wished]]
            if len(rows):
                at = lessons.offset[wished]
                events = Learned(
                    self._learned, rows, self._stream.user[at], lessons.time[wished], self._stream.rating[at]
                )
                for contender in self._contenders.values():
                    contender.learn(events)
            self._learned += len(rows)

    def _introductions(self, items: list[str]) -> list[Introduction]:
        """Return what the engine is told of items that it has not been told of."""
        new = [item for item in items if item not in self._introduced]
        self._introduced.update(new)
        known = [self._content.get(item, Item(item)) for item in new] if self._content or self._firsts else []
        return [introduce(item) for item in known]

    def _introduce(self, event: int) -> None:
        """Tell the engine of an event's item before anybody has it."""
        if new := self._introductions([self._stream.items[self._stream.item[event]]]):
            self._engine.learn(introduction(new), self._records)
            self._records += 1

    def _rank(self, placings: Placings, event: int) -> None:
        if self._firsts:
            self._introduce(event)
        first = event // _AHEAD * _AHEAD
        why_not, moment = self._moment(self._chunks[first], event, event - first)
        if moment is None:
            placings.passed_over[why_not] += 1
            return
        placed = placings.placed
        placings.event[placed], placings.target[placed] = event, moment.target
        shared = self._score_shared(moment)
        for name, contender in self._contenders.items():
            began = time.perf_counter()
            scores = contender.score(moment).astype(np.float64)
            if not np.isfinite(scores).all():
                # Nothing is smaller or larger than NaN: such a model would seem perfect.
                raise FloatingPointError(f"{name} has scores that are not finite for event {event}")
            rows = placings.lists[name][placed]
            placings.ranks[name][placed] = ranking.place(scores, moment.candidate, moment.target, rows)
            placings.ranking_s[name] += time.perf_counter() - began + shared * (name in OF_THE_ENGINE)
        placings.placed += 1

    def _score_shared(self, moment: Moment) -> float:
        """Let the engine score; return the seconds it took, which belong to each of its contenders alike."""
        if not self._scored_at_once:
            return 0.0
        began = time.perf_counter()
        _ = moment.apart
        return time.perf_counter() - began

    def _moment(self, observation: Observation, event: int, index: int) -> tuple[str, Moment | None]:
        observed, items = observation.observed, self._engine.items
        catalogue = items.catalogue
        target = int(catalogue.rows(observation.keys[index : index + 1])[0])
        if not self._wishes[event]:
            return "no wish", None
        if observed.lengths[index] == 0 and not self._newcomers:
            return "first of user", None
        if target < 0 or (catalogue.events[target] < catalogue.admit_after and not self._firsts):
            return "first of item", None
        if not (observed.novel[index] or self._repeats):
            return "had before", None
        profile = self._engine.views.before(observation, np.array([index]))
        tables = items.tables()
        candidate = tables.known.copy()  # what stands for all is standardised over all known items
        candidate[target] = True
        if not self._repeats:
            part = slice(index, index + 1)
            seen = catalogue.rows(self._engine.users.seen(observation.slots[part], observed.n_seen[part])[0])
            candidate[seen[seen >= 0]] = False
        user, time = int(self._stream.user[event]), int(self._stream.time[event])
        return "", Moment(event, user, time, items, tables, profile, candidate, target)
