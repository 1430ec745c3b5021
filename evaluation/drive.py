"""Drives an engine through a stream and ranks: observe, learn what lies before, rank, observe on.

It is the engine that the worker runs, through the same calls. What a user did does not depend on what is known of
items, so events are observed many at once; learned is exactly what lies before an event when it is ranked, or, with a
lag, what lies that many events further back, as when the learning log is behind.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from contracts.events import Item
from contracts.learning import Introduction, introduction
from evaluation.contenders import SCORED_AT_ONCE, Contender, Moment
from evaluation.log import Log, source
from evaluation.protocols import Plan
from models import ranking
from models.content.terms import introduce
from models.engine import Batch, Engine, Observation
from models.users import APPLIED

_AHEAD = 4096  # events observed at once: 6 µs an event then, 140 µs one by one


@dataclass
class Placings:
    """Where the items of the ranked events stood.

    Attributes
    ----------
    event : ndarray of int64, shape (m,)
        Positions in the plan's stream.
    target : ndarray of int32, shape (m,)
        Rows of the items.
    ranks : dict
        Contender → mean ranks, 1 = best, shape (m,).
    lists : dict
        Contender → rows of its best items for the event's user, shape (m, k), -1 = no more candidates.
    passed_over : dict
        Why a chosen event was not ranked → how many.
    learned : int
        How many events were learned.
    engine_s, ranking_s : float, dict
        Seconds spent on observing and learning; on ranking, by contender.
    """

    event: NDArray[np.int64]
    target: NDArray[np.int32]
    ranks: dict[str, NDArray[np.float64]]
    lists: dict[str, NDArray[np.int32]]
    passed_over: Counter[str] = field(default_factory=Counter)
    learned: int = 0
    engine_s: float = 0.0
    ranking_s: dict[str, float] = field(default_factory=dict)


class Drive:
    """One pass over a stream.

    Parameters
    ----------
    plan : Plan
    engine : Engine
        A fresh one.
    contenders : mapping of str to Contender
    k : int
        Length of the lists.
    wishes : ndarray of bool
        Which events of the stream are ranked at all.
    repeats : bool
        Whether items that the user has had are ranked, and compete.
    lag : int
        How many events learning is behind.
    content : mapping of str to Item
        Item → its record. The engine is told of it when the item comes for the first time.
    firsts : bool
        Whether an item's first event is ranked, too: its record is published before it.
    """

    def __init__(
        self,
        plan: Plan,
        engine: Engine,
        contenders: Mapping[str, Contender],
        k: int,
        wishes: NDArray[np.bool_],
        repeats: bool = False,
        lag: int = 0,
        content: Mapping[str, Item] | None = None,
        firsts: bool = False,
    ) -> None:
        self._plan, self._engine, self._contenders = plan, engine, contenders
        self._wishes, self._repeats, self._lag = wishes, repeats, lag
        self._content, self._firsts = content or {}, firsts
        self._introduced: set[str] = set()
        self._log = Log()
        self._records = 0
        self._placed = 0
        m = len(plan.chosen)
        self._placings = Placings(
            np.zeros(m, np.int64),
            np.zeros(m, np.int32),
            {name: np.zeros(m) for name in contenders},
            {name: np.full((m, k), ranking.NONE, np.int32) for name in contenders},
            ranking_s=dict.fromkeys(contenders, 0.0),
        )

    def run(self, on_progress: Callable[[int], None] = lambda events: None) -> Placings:
        """Go through the stream; ``on_progress`` is told how many events are done."""
        stream, chosen = self._plan.stream, self._plan.chosen
        for user in stream.users:
            self._engine.users.admit(user, None)
        for first in range(0, len(stream), _AHEAD):
            last = min(first + _AHEAD, len(stream))
            observation = self._observe(first, last)
            for event in chosen[slice(*np.searchsorted(chosen, (first, last)))].tolist():
                self._learn(event - self._lag)
                self._rank(observation, event, event - first)
            self._learn(last - self._lag)
            on_progress(last)
        self._learn(len(stream))
        return self._trimmed()

    def _observe(self, first: int, last: int) -> Observation:
        began = time.perf_counter()
        n = last - first
        events = self._plan.stream.events(first, last)
        offsets = list(range(first, last))
        observation = self._engine.observe(Batch(events, [0] * n, offsets, [True] * n, [source(first, last - 1)]))
        if (observation.observed.outcome != APPLIED).any():
            raise RuntimeError(f"the engine refused some of the events {first} to {last - 1}: another stream is ranked")
        self._log.append(observation.lessons)
        self._placings.engine_s += time.perf_counter() - began
        return observation

    def _learn(self, until: int) -> None:
        for lessons in self._log.take(min(until, self._plan.learned)):
            lessons.introduced = self._introductions(lessons.items)
            began = time.perf_counter()
            self._engine.learn(lessons, self._records)
            self._placings.engine_s += time.perf_counter() - began
            self._records += 1
            rows = self._engine.items.catalogue.admit(lessons.items)[lessons.item]
            for contender in self._contenders.values():
                contender.learn(rows, lessons.time, self._placings.learned)
            self._placings.learned += len(rows)

    def _introductions(self, items: list[str]) -> list[Introduction]:
        """Return what the engine is told of items that it has not been told of."""
        new = [item for item in items if item not in self._introduced]
        self._introduced.update(new)
        known = [self._content.get(item, Item(item)) for item in new] if self._content or self._firsts else []
        return [introduce(item) for item in known]

    def _introduce(self, event: int) -> None:
        """Tell the engine of an event's item before anybody has it."""
        stream = self._plan.stream
        if new := self._introductions([stream.items[stream.item[event]]]):
            self._engine.learn(introduction(new), self._records)
            self._records += 1

    def _rank(self, observation: Observation, event: int, index: int) -> None:
        if self._firsts:
            self._introduce(event)
        why_not, moment = self._moment(observation, event, index)
        if moment is None:
            self._placings.passed_over[why_not] += 1
            return
        placed, placings = self._placed, self._placings
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
            placings.ranking_s[name] += time.perf_counter() - began + shared * (name in SCORED_AT_ONCE)
        self._placed += 1

    def _score_shared(self, moment: Moment) -> float:
        """Let the engine score; return the seconds it took, which belong to each of its contenders alike."""
        if SCORED_AT_ONCE.isdisjoint(self._contenders):
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
        if observed.lengths[index] == 0:
            return "first of user", None
        if target < 0 or (catalogue.events[target] == 0 and not self._firsts):
            return "first of item", None
        if not (observed.novel[index] or self._repeats):
            return "had before", None
        recent = catalogue.rows(observed.history[index])
        recent[observed.lengths[index] :] = ranking.NONE
        tables = items.tables()
        candidate = tables.known
        candidate[target] = True
        if not self._repeats:
            part = slice(index, index + 1)
            seen = catalogue.rows(self._engine.users.seen(observation.slots[part], observed.n_seen[part])[0])
            candidate[seen[seen >= 0]] = False
        return "", Moment(event, items, tables, recent, candidate, target)

    def _trimmed(self) -> Placings:
        placings, n = self._placings, self._placed
        placings.event, placings.target = placings.event[:n], placings.target[:n]
        placings.ranks = {name: ranks[:n] for name, ranks in placings.ranks.items()}
        placings.lists = {name: lists[:n] for name, lists in placings.lists.items()}
        return placings
