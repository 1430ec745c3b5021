"""The protocol of cold items: what content is worth for items that are new in a system that runs.

A share of all items, drawn by the seed, is kept out of the first half of the stream, so that they come as new. Their
first 20 events are ranked, the very first too, for an item's record is published before anybody has it; beside them
events of all other items that have been had more than 20 times. Twice: with the items' content, and without. All else
is the same, down to the random draws, so differences are paired.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation import intervals
from evaluation.metrics import RANKED, of_ranks
from evaluation.options import Options
from evaluation.placings import Placings
from evaluation.protocols import Plan
from evaluation.stream import Stream, repeats

SHARE = 0.2
"""Of the items, how many are kept out."""
KEPT_OUT = 0.5
"""Until which share of the events."""
FIRST = 20
"""Up to so many events an item is cold."""
GROUPS = ("cold", "warm")
_COMPARED = ("hr", "ndcg", "mrr")

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ColdPlan:
    """A plan, and which of its stream's events are of items that were kept out: ndarray of bool, shape (n,)."""

    plan: Plan
    cold: NDArray[np.bool_]


def cold_items(stream: Stream, every: int = 1, seed: int = 0) -> ColdPlan:
    """Keep items out of the first half, and choose what is ranked.

    Parameters
    ----------
    stream : Stream
    every : int
        Rank each n-th event of items that are not cold.
    seed : int
        Of the choice of items.
    """
    until = round(KEPT_OUT * len(stream))
    used = np.unique(stream.item)
    drawn = np.random.default_rng(seed).choice(used, round(SHARE * len(used)), replace=False)
    cold = np.isin(stream.item, drawn)
    positions = np.flatnonzero(~cold | (np.arange(len(stream)) >= until))
    # Where an event was taken out, the same item may stand before and after it.
    positions = positions[~repeats(stream.user[positions], stream.item[positions])]
    late, cold = positions >= until, cold[positions]
    kept = stream.take(positions)
    had = _events_before(kept.item)
    warm = ~cold & late & (had >= FIRST) & (np.arange(len(kept)) % every == 0)
    chosen = np.flatnonzero((cold & (had < FIRST)) | warm)
    return ColdPlan(Plan("cold-items", {"every": every, "seed": seed}, kept, chosen, len(kept)), cold)


class ColdItems:
    """What came out: rows and comparisons as :class:`evaluation.ranked.Ranked` has them.

    Parameters
    ----------
    options : Options
    plans : list of ColdPlan
        One for each seed.
    passes : list of tuple of Placings
        For each seed one with content and one without.
    """

    def __init__(self, options: Options, plans: list[ColdPlan], passes: list[tuple[Placings, Placings]]) -> None:
        self._options, self._plans, self._passes = options, plans, passes
        # All seeds draw from the same users: these are resampled, with all that they did under any seed.
        ranked = [(plan, pair[0].event) for plan, pair in zip(plans, passes, strict=True)]
        self._user = np.concatenate([plan.plan.stream.user[event] for plan, event in ranked])
        self._cold = np.concatenate([plan.cold[event] for plan, event in ranked])

    def rows(self) -> list[dict[str, Any]]:
        """Return a row of figures for each model, with and without content, of cold and of warm items."""
        return [self._row(name, arm, group) for name, group, arm in product(self._options.ranked, GROUPS, (0, 1))]

    def comparisons(self) -> list[dict[str, Any]]:
        """Return what content changes, for each model and group of items."""
        return [
            self._comparison(name, group, metric)
            for name, group, metric in product(self._options.ranked, GROUPS, _COMPARED)
            if self._of(group).any()
        ]

    def series(self) -> dict[str, Any]:
        """Return nothing: cold items have no time of their own."""
        return {}

    def _of(self, group: str) -> NDArray[np.bool_]:
        return self._cold if group == "cold" else ~self._cold

    def _metrics(self, name: str, arm: int, group: str) -> Floats:
        ranks = np.concatenate([pair[arm].ranks[name] for pair in self._passes])
        return of_ranks(ranks[self._of(group)], self._options.k)

    def _row(self, name: str, arm: int, group: str) -> dict[str, Any]:
        values, user = self._metrics(name, arm, group), self._user[self._of(group)]
        row: dict[str, Any] = {"model": _title(name, arm, group)}
        if len(values):
            samples = intervals.resampled(user, values)
            for column, metric in enumerate(RANKED):
                row[self._key(metric)] = float(values[:, column].mean())
                if metric in _COMPARED:
                    row[f"{self._key(metric)}_interval"] = intervals.interval(samples[:, column])
        learned = sum(pair[arm].learned for pair in self._passes)
        seconds = sum(pair[arm].engine_s for pair in self._passes)
        return row | {
            "content": not arm,
            "items": group,
            "scored": len(values),
            "events": sum(len(plan.plan.stream) for plan in self._plans),
            "us_per_event": 1e6 * seconds / max(learned, 1),
        }

    def _comparison(self, name: str, group: str, metric: str) -> dict[str, Any]:
        column = RANKED.index(metric)
        values = np.column_stack([self._metrics(name, arm, group)[:, column] for arm in (0, 1)])
        samples = intervals.resampled(self._user[self._of(group)], values)
        found = intervals.difference(*values.mean(axis=0).tolist(), *samples.T)
        return {
            "model": _title(name, 0, group),
            "against": _title(name, 1, group),
            "metric": self._key(metric),
            "difference": found.absolute,
            "interval": found.interval,
            "relative": found.relative,
            "relative_interval": found.relative_interval,
            "p": found.p,
        }

    def _key(self, metric: str) -> str:
        return metric if metric == "mrr" else f"{metric}@{self._options.k}"


def _title(name: str, arm: int, group: str) -> str:
    return f"{name}, {group} items, {('content', 'no content')[arm]}"


def _events_before(item: NDArray[np.int32]) -> NDArray[np.int64]:
    """Return how many events of its item lie before each event."""
    order = np.argsort(item, kind="stable")
    starts = np.flatnonzero(np.diff(item[order], prepend=-1))
    before = np.empty(len(item), np.int64)
    before[order] = np.arange(len(item)) - np.repeat(starts, np.diff(starts, append=len(item)))
    return before
