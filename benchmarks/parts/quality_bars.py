"""What the recommendations must reach, and whether they do: from the results of the evaluations."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.parts.quality_jobs import CUTS, REGIMES, REPLICAS
from evaluation.contenders import OF_THE_ENGINE

Result = dict[str, Any]
Row = dict[str, Any]

BEST_SCORER = -0.01
"""How far the blend may fall behind its best scorer, at the lower bound of the paired interval."""
SHARED = 0.01
"""How far ranking may be from a single worker's when several write the learning log, either way."""
NO_LOSS = -0.01
"""How far content may set back items that are long known, at the lower bound of the paired interval."""
_SCORED = {"ml-1m": 89_424, "ml-100k": 88_615, "ml-latest-small": 20_503, "online-retail": 22_646}
_FLOORS: dict[str, dict[str, tuple[float, float | None]]] = {
    "ml-1m": {"hr@10": (0.290, 0.310), "ndcg@10": (0.162, 0.175)},
    "ml-100k": {"hr@10": (0.215, 0.230), "ndcg@10": (0.1115, 0.120)},
    "online-retail": {"hr@10": (0.320, 0.340), "ndcg@10": (0.216, 0.230)},
    "ml-latest-small": {"hr@10": (0.120, 0.130), "ndcg@10": (0.0645, 0.070)},
}
_LEFT_OUT = {"hr@10": 0.285, "ndcg@10": 0.172}
_RMSE = 0.956


def bars(results: dict[str, Result]) -> list[dict[str, Any]]:
    """Return what each job's result must reach; jobs without a result have no bars.

    Parameters
    ----------
    results : dict
        Job → result of ``headrace evaluate``.

    Returns
    -------
    list of dict
        ``what``, ``measured``, ``interval`` or None, ``sense`` (≥, ≤, =, >), ``must``, ``met``, ``stretch`` and
        ``stretch_met``, None where there is none.
    """
    found: list[dict[str, Any]] = []
    for data, floors in _FLOORS.items():
        if result := results.get(f"protocol-p/{data}"):
            found += _floors(result, f"{data}, blend, {{}}: mean over seeds", floors)
            found.append(_bar(f"{data}: events ranked", _row(result, "blend")["scored"], "=", _SCORED[data]))
    for job in (*(f"protocol-p/{data}" for data in _FLOORS), *(f"regime/{regime}" for regime in REGIMES)):
        if result := results.get(job):
            found += _against_the_best_scorer(result, job)
    if result := results.get("frozen/ml-1m"):
        found += _frozen(result)
    if result := results.get("leave-one-out/ml-1m"):
        floors = {metric: (must, None) for metric, must in _LEFT_OUT.items()}
        found += _floors(result, "ml-1m, leave one out, blend, {}", floors)
    if result := results.get("ratings/ml-100k"):
        found.append(_bar("ml-100k, ratings, progressive RMSE", _row(result, "ratings")["rmse"], "≤", _RMSE))
    if alone := results.get(f"replicas-{REPLICAS[0]}/ml-1m"):
        for replicas in REPLICAS[1:]:
            if result := results.get(f"replicas-{replicas}/ml-1m"):
                found += _shared(alone, result, replicas)
    for data in ("ml-1m", "online-retail"):
        if result := results.get(f"second-event/{data}"):
            found.append(_above(result, f"{data}, a user's second event", "popularity"))
        if result := results.get(f"cold-items/{data}"):
            found += _cold(result, data)
    return found


def _shared(alone: Result, result: Result, replicas: int) -> Iterator[dict[str, Any]]:
    for metric in ("hr@10", "ndcg@10"):
        change = abs(_row(result, "blend")[metric] / _row(alone, "blend")[metric] - 1)
        yield _bar(f"ml-1m, {replicas} workers against one, blend, {metric}: change", change, "≤", SHARED)


def _cold(result: Result, data: str) -> Iterator[dict[str, Any]]:
    for model in ("blend", "embeddings"):
        for group, must in (("cold", 0.0), ("warm", NO_LOSS)):
            interval = next(
                each["relative_interval"]
                for each in result["comparisons"]
                if (each["model"], each["metric"]) == (f"{model}, {group} items, content", "hr@10")
            )
            what = f"{data}, {model} on {group} items: hr@10 with content over without, lower bound"
            yield _bar(what, interval[0], ">", must, interval=interval)


def _floors(result: Result, what: str, floors: dict[str, tuple[float, float | None]]) -> Iterator[dict[str, Any]]:
    row = _row(result, "blend")
    for metric, (must, stretch) in floors.items():
        yield _bar(what.format(metric), row[metric], "≥", must, stretch, row[f"{metric}_interval"])


def _against_the_best_scorer(result: Result, job: str) -> Iterator[dict[str, Any]]:
    for metric in ("hr@10", "ndcg@10"):
        scorers = (row for row in result["rows"] if row["model"] in OF_THE_ENGINE[1:])  # older results have fewer
        best = max(scorers, key=lambda row: row[metric])["model"]
        found = _comparison(result, best, metric)
        what = f"{job}, blend against its best scorer ({best}), {metric}: lower bound"
        yield _bar(what, found["relative_interval"][0], "≥", BEST_SCORER, 0.0, found["relative_interval"])


def _frozen(result: Result) -> Iterator[dict[str, Any]]:
    for cut in CUTS:
        here = {"cut": cut, "live": False}
        yield _above(result, f"ml-1m, frozen at {cut:.0%}, {_row(result, 'blend', here)['scored']} users",
                     "popularity-7d", here)  # fmt: skip


def _above(result: Result, what: str, other: str, where: Row | None = None) -> dict[str, Any]:
    found = _comparison(result, other, "hr@10", where)
    interval = found["relative_interval"]
    return _bar(f"{what}: blend's hr@10 over that of {other}, lower bound", interval[0], ">", 0.0, interval=interval)


def _row(result: Result, model: str, where: Row | None = None) -> Row:
    return next(row for row in result["rows"] if row["model"] == model and _is_at(row, where))


def _comparison(result: Result, against: str, metric: str, where: Row | None = None) -> Row:
    return next(
        each
        for each in result["comparisons"]
        if (each["model"], each["against"], each["metric"]) == ("blend", against, metric) and _is_at(each, where)
    )


def _is_at(row: Row, where: Row | None) -> bool:
    return all(row[name] == value for name, value in (where or {}).items())


def _bar(
    what: str,
    measured: float,
    sense: str,
    must: float,
    stretch: float | None = None,
    interval: list[float] | None = None,
) -> dict[str, Any]:
    return {
        "what": what,
        "measured": measured,
        "interval": interval,
        "sense": sense,
        "must": must,
        "met": _reaches(measured, sense, must),
        "stretch": stretch,
        "stretch_met": None if stretch is None else _reaches(measured, sense, stretch),
    }


def _reaches(measured: float, sense: str, limit: float) -> bool:
    return {
        "≥": measured >= limit,
        "≤": measured <= limit,
        ">": measured > limit,
        "=": measured == limit,
    }[sense]
