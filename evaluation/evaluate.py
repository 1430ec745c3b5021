"""Runs a protocol for all models and seeds, and gathers what came out as one plain dictionary, ready for JSON."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable
from dataclasses import asdict
from importlib.metadata import version
from typing import Any

import numpy as np

from evaluation import predictions, protocols
from evaluation.coldstart import ColdItems, cold_items
from evaluation.contenders import contender
from evaluation.drive import Drive, Placings
from evaluation.errors import EvaluationError
from evaluation.options import COLD_ITEMS, PROTOCOLS, RATINGS, Options
from evaluation.ranked import Ranked
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
    ranked = _ranked(stream, options, progress) if options.ranked else None
    rows = ranked.rows() if ranked else []
    if options.rated:
        rows.append(_rated(stream, options, progress))
    about = {"protocol": options.protocol, "data": stream.name, "data_hash": stream.hash, "seeds": list(options.seeds)}
    return {
        "rows": [{"model": row["model"], **about, **row} for row in rows],
        "comparisons": ranked.comparisons() if ranked else [],
        "series": ranked.series() if ranked and options.protocol == "prequential" else {},
        "stream": {
            "name": stream.name,
            "hash": stream.hash,
            "events": len(stream),
            "users": len(np.unique(stream.user)),
            "items": len(np.unique(stream.item)),
            "first": _date(stream, 0),
            "last": _date(stream, -1),
            "left_out": stream.left_out,
        },
        "settings": asdict(options),
        "versions": {name: version(name) for name in ("headrace", "numpy", "numba", "river")}
        | {"python": platform.python_version()},
        "seconds": time.perf_counter() - began,
    }


def work(stream: Stream, options: Options) -> int:
    """Return how many events :func:`evaluate` goes through."""
    arms = 2 if options.protocol == COLD_ITEMS else bool(options.ranked)
    return len(stream) * len(options.seeds) * (arms + options.rated)


def _ranked(stream: Stream, options: Options, progress: _Passes) -> Ranked | ColdItems:
    if options.protocol == COLD_ITEMS:
        return _cold(stream, options, progress)
    plan = _plan(stream, options)
    passes: list[Placings] = []
    for seed in options.seeds:
        drive, engine = _drive(plan, options, seed, content=options.content)
        passes.append(drive.run(progress.next()))
    return Ranked(plan.stream, options, passes, engine.items)


def _cold(stream: Stream, options: Options, progress: _Passes) -> ColdItems:
    if not stream.content:
        raise EvaluationError(f"{stream.name} says nothing about its items: content cannot be compared with none")
    plans = [cold_items(stream, options.every, seed) for seed in options.seeds]
    passes: list[tuple[Placings, Placings]] = []
    for seed, each in zip(options.seeds, plans, strict=True):
        with_content, without = (_drive(each.plan, options, seed, content, firsts=True)[0] for content in (True, False))
        passes.append((with_content.run(progress.next()), without.run(progress.next())))
    return ColdItems(options, plans, passes)


def _drive(
    plan: protocols.Plan, options: Options, seed: int, content: bool, firsts: bool = False
) -> tuple[Drive, Engine]:
    stream = plan.stream
    engine = Engine(seed, max(1, len(stream.users)), options.rating_users, options.weights)
    contenders = {name: contender(name, seed) for name in options.ranked}
    wishes = protocols.wishes(stream, options.weights, options.least_rating)
    told = stream.content if content else {}
    drive = Drive(plan, engine, contenders, options.k, wishes, options.repeats, options.lag, told, firsts)
    return drive, engine


def _plan(stream: Stream, options: Options) -> protocols.Plan:
    match options.protocol:
        case "prequential":
            return protocols.prequential(stream, options.every, options.warmup)
        case "temporal":
            return protocols.temporal(stream, options.cut, options.live)
        case "leave-one-out":
            return protocols.leave_one_out(stream)
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


def _date(stream: Stream, position: int) -> str | None:
    return str(stream.time[position].astype("datetime64[ms]"))[:19] if len(stream) else None
