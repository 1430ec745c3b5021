"""Runs a protocol for all models and seeds, and gathers what came out as one plain dictionary, ready for JSON."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np

from evaluation import clicks, predictions, protocols
from evaluation.coldstart import ColdItems, cold_items
from evaluation.contenders import contender, seeded
from evaluation.datasets import Dataset
from evaluation.drive import Drive
from evaluation.errors import EvaluationError
from evaluation.open_bandit import OpenBandit
from evaluation.options import COLD_ITEMS, PROTOCOLS, RATINGS, Options
from evaluation.placings import Placings
from evaluation.ranked import Ranked
from evaluation.shown import Showing, hash_of, joined
from evaluation.stream import Stream
from models.engine import Engine

Progress = Callable[[int], None]


def evaluate(stream: Stream, options: Options, on_progress: Progress = lambda events: None) -> dict[str, Any]:
    """Evaluate models on a stream.

    Parameters
    ----------
    stream : Stream
    options : Options
    on_progress : callable
        Told how many events are done, of :func:`work`.

    Returns
    -------
    dict
        ``rows``, one for each model; ``comparisons`` of the first model with the others; ``series`` over time;
        ``stream``, ``settings``, ``versions`` and ``seconds``.
    """
    began = time.perf_counter()
    progress = _Passes(len(stream), on_progress)
    ranked = _ranked(stream, options, progress) if options.ranked else []
    rows = [row for each in ranked for row in each.rows()]
    if options.rated:
        rows.append(_rated(stream, options, progress))
    about = {"protocol": options.protocol, "data": stream.name, "data_hash": stream.hash, "seeds": list(options.seeds)}
    return {
        "rows": [{"model": row["model"], **about, **row} for row in rows],
        "comparisons": [comparison for each in ranked for comparison in each.comparisons()],
        "series": ranked[0].series() if ranked and options.protocol == "prequential" else {},
        "stream": {
            "name": stream.name,
            "hash": stream.hash,
            "events": len(stream),
            "users": len(np.unique(stream.user)),
            "items": len(np.unique(stream.item)),
            "first": _date(int(stream.time[0])) if len(stream) else None,
            "last": _date(int(stream.time[-1])) if len(stream) else None,
            "left_out": stream.left_out,
        },
        **_made(options, began),
    }


def evaluate_clicks(
    name: str, showings: Sequence[Showing], options: Options, on_progress: Progress = lambda events: None
) -> dict[str, Any]:
    """Evaluate the click models on what was shown; returns what :func:`evaluate` does.

    Raises
    ------
    EvaluationError
        When nothing was shown.
    """
    began = time.perf_counter()
    if not showings:
        raise EvaluationError(f"{name} holds no impressions: there are no clicks to predict")
    digest = hash_of(showings)
    about = {"protocol": options.protocol, "data": name, "data_hash": digest, "seeds": list(options.seeds)}
    return {
        "rows": [{"model": row["model"], **about, **row} for row in clicks.rows(showings, on_progress)],
        "comparisons": [],
        "series": {},
        "stream": {
            "name": name,
            "hash": digest,
            "events": len(showings),
            "users": len({showing.user for showing in showings}),
            "items": len({showing.item for showing in showings}),
            "first": _date(showings[0].time),
            "last": _date(showings[-1].time),
            "left_out": {},
        },
        **_made(options, began),
    }


def read_showings(datasets: Iterable[Dataset], limit: int | None = None) -> list[Showing]:
    """Return what the impressions of data sets showed, the first so many in the order of time."""
    parts = [each.showings() if isinstance(each, OpenBandit) else joined(each.events()) for each in datasets]
    return sorted((showing for part in parts for showing in part), key=lambda showing: showing.time)[:limit]


def _made(options: Options, began: float) -> dict[str, Any]:
    """Return by what a result was made, and how long it took."""
    versions = {name: version(name) for name in ("headrace", "numpy", "numba", "river")}
    return {
        "settings": asdict(options),
        "versions": versions | {"python": platform.python_version()},
        "seconds": time.perf_counter() - began,
    }


def work(stream: Stream, options: Options) -> int:
    """Return how many events :func:`evaluate` goes through."""
    arms = 2 if options.protocol == COLD_ITEMS else bool(options.ranked)
    return len(stream) * len(options.seeds) * (arms + options.rated)


def _ranked(stream: Stream, options: Options, progress: _Passes) -> list[Ranked | ColdItems]:
    """Return what was ranked under each plan of the protocol."""
    if options.protocol == COLD_ITEMS:
        return [_cold(stream, options, progress)]
    plans = _plans(stream, options)
    passes: list[list[Placings]] = []
    for seed in options.seeds:
        names = [name for name in options.ranked if seeded(name) or not passes]
        drive, engine = _drive(plans, names, options, seed, content=options.content)
        passes.append(drive.run(progress.next()))
        for first, other in zip(passes[0], passes[-1], strict=True):
            first.lend(other, [name for name in options.ranked if name not in names])
    return [Ranked(plan, options, of_plan, engine.items) for plan, *of_plan in zip(plans, *passes, strict=True)]


def _cold(stream: Stream, options: Options, progress: _Passes) -> ColdItems:
    if not stream.content:
        raise EvaluationError(f"{stream.name} says nothing about its items: content cannot be compared with none")
    plans = [cold_items(stream, options.every, seed) for seed in options.seeds]
    passes: list[tuple[Placings, Placings]] = []
    for seed, each in zip(options.seeds, plans, strict=True):
        with_content, without = (
            _drive([each.plan], options.ranked, options, seed, content, firsts=True)[0] for content in (True, False)
        )
        passes.append((with_content.run(progress.next())[0], without.run(progress.next())[0]))
    return ColdItems(options, plans, passes)


def _drive(
    plans: list[protocols.Plan],
    names: Sequence[str],
    options: Options,
    seed: int,
    content: bool,
    firsts: bool = False,
) -> tuple[Drive, Engine]:
    stream = plans[0].stream
    # Without the rating model: it has a row of its own, and no say in the ranking.
    engine = Engine(
        seed, max(1, len(stream.users)), 0, options.weights,
        allow_repeats=options.repeats, rating_slope=options.rating_slope,
    )  # fmt: skip
    contenders = {name: contender(name, seed) for name in names}
    wishes = protocols.wishes(stream, options.weights, options.least_rating)
    told = stream.content if content else {}
    drive = Drive(
        plans, engine, contenders, options.k, wishes, options.repeats, options.newcomers, options.lag, told, firsts,
        options.replicas,
    )  # fmt: skip
    return drive, engine


def _plans(stream: Stream, options: Options) -> list[protocols.Plan]:
    match options.protocol:
        case "prequential":
            return [protocols.prequential(stream, options.every, options.warmup)]
        case "temporal":
            ways = (False, True) if options.live else (False,)
            return [protocols.temporal(stream, cut, live) for cut in options.cut for live in ways]
        case "second-event":
            return [protocols.second_event(stream, options.warmup)]
        case "leave-one-out":
            return [protocols.leave_one_out(stream)]
    raise EvaluationError(f"there is no protocol {options.protocol!r}; there are {', '.join(PROTOCOLS)}")


def _rated(stream: Stream, options: Options, progress: _Passes) -> dict[str, Any]:
    """Return the row of the rating model: means over seeds and folds."""
    if np.isnan(stream.rating).all():
        raise EvaluationError(f"{stream.name} holds no ratings: there is nothing to predict")
    parts: list[predictions.Predictions] = []
    for seed in options.seeds:
        if options.protocol == "kfold":
            parts += predictions.folds(stream, options.folds, seed, options.rating_users, progress.next())
        else:
            parts.append(predictions.progressive(stream, seed, options.rating_users, progress.next()))
    qualities = [predictions.quality(part) for part in parts]
    return {
        "model": RATINGS,
        **{name: float(np.mean([quality[name] for quality in qualities])) for name in qualities[0]},
        "rmse_of_each": [quality["rmse"] for quality in qualities],
        "scored": len(parts[0].event),
        "events": len(stream),
        "us_per_event": 1e6 * sum(part.seconds for part in parts) / max(sum(part.learned for part in parts), 1),
    }


class _Passes:
    """Adds up the events of one pass after the other."""

    def __init__(self, events: int, on_progress: Progress) -> None:
        self._events, self._on_progress = events, on_progress
        self._begun = 0

    def next(self) -> Progress:
        done = self._begun * self._events
        self._begun += 1
        return lambda events: self._on_progress(done + events)


def _date(time_ms: int) -> str:
    return str(np.datetime64(time_ms, "ms"))[:19]
