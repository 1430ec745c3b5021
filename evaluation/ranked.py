"""What came out of ranking: a row of figures for each model, how they differ, and how they went over time."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation import breadth, intervals, series
from evaluation.contenders import of_the_engine
from evaluation.metrics import RANKED, of_ranks
from evaluation.options import Options
from evaluation.placings import Placings
from evaluation.protocols import Plan
from evaluation.tastes import distributions, tastes
from models.item_model import ItemModel

_COMPARED = ("hr", "ndcg", "mrr")

Floats = NDArray[np.float64]


class Ranked:
    """The passes of all seeds over the same events.

    Parameters
    ----------
    plan : Plan
        What was driven.
    options : Options
    passes : sequence of Placings
        One for each seed; all ranked the same events.
    items : ItemModel
        As it was at the end of the last pass.
    """

    def __init__(self, plan: Plan, options: Options, passes: Sequence[Placings], items: ItemModel) -> None:
        self._plan, self._stream = plan, plan.stream
        self._options, self._passes, self._items = options, passes, items
        self._models = options.ranked
        self._event = passes[0].event
        shape = (len(self._event), len(self._models), len(RANKED))
        self._of_events = np.zeros(shape)  # means over seeds
        self._by_seed = np.zeros((len(passes), *shape[1:]))  # means over events
        for seed, each in enumerate(passes):
            for model, name in enumerate(self._models if len(self._event) else ()):
                found = of_ranks(each.ranks[name], options.k)
                self._of_events[:, model] += found / len(passes)
                self._by_seed[seed, model] = found.mean(axis=0)

    def rows(self) -> list[dict[str, Any]]:
        """Return one row of figures for each model."""
        return [self._row(index, name) for index, name in enumerate(self._models)]

    def comparisons(self) -> list[dict[str, Any]]:
        """Return how the first model differs from each of the others."""
        first, *others = range(len(self._models))
        return [self._comparison(first, other, metric) for other in others for metric in _COMPARED if len(self._event)]

    def series(self) -> dict[str, Any]:
        """Return the means by day and over a sliding window, for each model and metric."""
        time = self._stream.time[self._event]
        flat = self._flat
        days = series.by_day(time, flat)
        window = series.sliding(self._event, time, flat, self._options.window)
        return {"days": self._named(days), "sliding": self._named(window)}

    @property
    def _flat(self) -> Floats:
        """Metrics of every event, averaged over seeds: (m, models × metrics)."""
        return self._of_events.reshape(len(self._event), -1) if len(self._event) else np.zeros((0, self._columns))

    @property
    def _columns(self) -> int:
        return len(self._models) * len(RANKED)

    @cached_property
    def _resampled(self) -> Floats:
        """Means in each bootstrap sample: (samples, models, metrics)."""
        samples = intervals.resampled(self._stream.user[self._event], self._flat)
        return samples.reshape(len(samples), len(self._models), len(RANKED))

    @cached_property
    def _means(self) -> Floats:
        """(models, metrics)."""
        return np.asarray(self._by_seed.mean(axis=0))

    def _row(self, index: int, name: str) -> dict[str, Any]:
        row: dict[str, Any] = {"model": name, **self._plan.settings}
        for column, metric in enumerate(RANKED):
            row[self._key(metric)] = float(self._means[index, column])
        for metric in _COMPARED if len(self._event) else ():
            column = RANKED.index(metric)
            row[f"{self._key(metric)}_interval"] = intervals.interval(self._resampled[:, index, column])
            row[f"{self._key(metric)}_by_seed"] = self._by_seed[:, index, column].tolist()
        row |= self._breadth(name)
        row |= {"scored": len(self._event), "events": len(self._stream)}
        row |= {reason.replace(" ", "_"): n for reason, n in sorted(self._passes[0].passed_over.items())}
        return row | self._costs(name)

    def _breadth(self, name: str) -> dict[str, float]:
        """Return what the lists are like, means over seeds; the last engine's items stand for all."""
        catalogue = self._items.catalogue
        n = len(catalogue)
        events, known = catalogue.events[:n], catalogue.events[:n] > 0
        figures: list[dict[str, float]] = []
        for each in self._passes:
            lists = each.lists[name]
            exposed = breadth.exposures(lists, n)
            figures.append(
                {
                    "coverage": breadth.coverage(exposed, known),
                    "gini": breadth.gini(exposed, known),
                    "novelty": breadth.novelty(exposed, events),
                    "ild": breadth.intra_list_distance(lists, self._items.embeddings.outputs[:n]),
                }
            )
            if self._stream.categories:
                figures[-1]["calibration"] = breadth.calibration(lists, self._categories, self._tastes)
        return {self._key(key): float(np.mean([figure[key] for figure in figures])) for key in figures[0]}

    @cached_property
    def _categories(self) -> Floats:
        return distributions(self._items.catalogue.ids, self._stream.categories)

    @cached_property
    def _tastes(self) -> Floats:
        return tastes(self._stream, self._event)

    def _costs(self, name: str) -> dict[str, float | None]:
        """Return µs to observe and learn an event, for the engine as a whole; and to score and rank all items once."""
        passes = self._passes
        learning = sum(each.engine_s for each in passes) / max(sum(each.learned for each in passes), 1)
        ranked_in = [each.ranking_s[name] for each in passes if name in each.ranking_s]
        ranking = sum(ranked_in) / max(len(ranked_in) * len(self._event), 1)
        return {
            "us_per_event": 1e6 * learning if of_the_engine(name) else None,
            "us_per_ranking": 1e6 * ranking,
        }

    def _comparison(self, a: int, b: int, metric: str) -> dict[str, Any]:
        column = RANKED.index(metric)
        found = intervals.difference(
            self._means[a, column], self._means[b, column], self._resampled[:, a, column], self._resampled[:, b, column]
        )
        return {
            **self._plan.settings,
            "model": self._models[a],
            "against": self._models[b],
            "metric": self._key(metric),
            "difference": found.absolute,
            "interval": found.interval,
            "relative": found.relative,
            "relative_interval": found.relative_interval,
            "p": found.p,
        }

    def _named(self, found: dict[str, Any]) -> dict[str, Any]:
        values = found.pop("values")
        models = {
            name: {
                self._key(metric): values[:, index * len(RANKED) + RANKED.index(metric)].tolist()
                for metric in _COMPARED
            }
            for index, name in enumerate(self._models)
        }
        return {**found, "models": models}

    def _key(self, metric: str) -> str:
        return metric if metric == "mrr" else f"{metric}@{self._options.k}"
