"""The section on quality of docs/results.md."""

from __future__ import annotations

from typing import Any

from benchmarks.parts.quality_jobs import CUTS, LAGS, PACES, REGIMES, REPLICAS, SETS
from benchmarks.parts.sources import of_evaluations
from benchmarks.parts.tables import table
from evaluation.contenders import OF_THE_ENGINE

Result = dict[str, Any]
Row = dict[str, Any]


def quality(figures: dict[str, Any]) -> str:
    """Return the section; what was not measured is left out."""
    results = {name: done["result"] for name, done in figures["jobs"].items()}
    machine, any_result = figures["machine"], next(iter(results.values()))
    versions = ", ".join(f"{name} {version}" for name, version in any_result["versions"].items())
    parts = [
        f"""## Quality of the recommendations

`python -m benchmarks.quality --data FOLDER --json benchmarks/results/quality.json`: every figure here, from
`headrace evaluate` on the engine that the worker runs, with the same settings on all data. Protocol, ties and masks:
[evaluation.md](evaluation.md). Intervals are 95 % by bootstrap over users, of differences paired. One pass; nothing is
fitted in batches. {machine["cpu"]}, {machine["cores"]} cores; {versions}.
""",
        _earlier(figures["jobs"]),
        _bars(figures["bars"]),
        *(_ranked(results, f"protocol-p/{data}", f"{data}, each {every}. event") for data, every in SETS.items()),
        *(_ranked(results, f"regime/{regime}", f"Simulated: {regime}") for regime in REGIMES),
        _ranked(results, "liked-only/ml-1m", "ml-1m, only ratings of 4 and 5 as targets"),
        _ranked(results, "repeats/online-retail", "online-retail, repeats allowed"),
        _frozen(results, "frozen/ml-1m", "Frozen at a cut (ml-1m): each remaining user's first event after it"),
        _frozen(results, "frozen-with-newcomers/ml-1m", "The same with users who had no event before the cut"),
        _ranked(results, "leave-one-out/ml-1m", "ml-1m, leave one out, to compare with papers"),
        *(
            _ranked(results, f"second-event/{data}", f"{data}: a user's second event, after one")
            for data in ("ml-1m", "online-retail")
        ),
        *(_cold(results, data) for data in ("ml-1m", "online-retail")),
        _ratings(results),
        *(_lags(results, data) for data in ("ml-1m", "online-retail")),
        _replicas(results),
        *(_shuffled(results, data) for data in ("ml-1m", "online-retail")),
    ]
    return "\n".join(part for part in parts if part)


def _earlier(jobs: dict[str, Any]) -> str:
    code = of_evaluations()
    names = [name for name, done in jobs.items() if done["sources"] != code]
    if not names:
        return ""
    which = "all of it" if len(names) == len(jobs) else ", ".join(names)
    return f"Measured before the last change of the code, and not since: {which}.\n"


def _bars(bars: list[dict[str, Any]]) -> str:
    rows = [
        (bar["what"], f"{bar['measured']:,.4g}", f"{bar['sense']} {bar['must']:,}", "yes" if bar["met"] else "**no**")
        for bar in bars
    ]
    return table(("measured", "figure", "bar", "met"), rows) + "\n"


def _ranked(results: dict[str, Result], job: str, title: str) -> str:
    if not (result := results.get(job)):
        return ""
    rows = result["rows"]
    lines = [
        (
            row["model"],
            _with_interval(row, "hr@10"),
            _with_interval(row, "ndcg@10"),
            f"{row['mrr']:.4f}",
            f"{row['coverage@10']:.2f}",
            _percent(_against(result, row["model"], "hr@10")) if row["model"] != "blend" else "",
            f"{row['us_per_ranking']:.0f}",
        )
        for row in rows
    ]
    seeds = len(result["settings"]["seeds"])
    head = ("model", "HR@10", "NDCG@10", "MRR", "coverage@10", "HR@10, blend over it", "µs to score all")
    return f"""### {title}

{rows[0]["scored"]:,} of {rows[0]["events"]:,} events ranked ({_passed_over(rows[0])}); {seeds} seed{"s" * (seeds > 1)};
hash `{result["stream"]["hash"]}`.

{table(head, lines)}
"""


def _frozen(results: dict[str, Result], job: str, title: str) -> str:
    if not (result := results.get(job)):
        return ""
    lines = []
    for cut in CUTS:
        for live in (False, True):
            here = [row for row in result["rows"] if (row["cut"], row["live"]) == (cut, live)]
            blend, days = (next(row for row in here if row["model"] == name) for name in ("blend", "popularity-7d"))
            against = _against(result, "popularity-7d", "hr@10", cut=cut, live=live)
            figures = (_with_interval(blend, "hr@10"), _with_interval(days, "hr@10"), _percent(against))
            lines.append((f"{cut:.0%}", "live" if live else "frozen", blend["scored"], *figures))
    head = ("learned", "after the cut", "ranked", "blend, HR@10", "popularity of 7 days", "blend over it")
    return f"### {title}\n\n{table(head, lines)}\n"


def _ratings(results: dict[str, Result]) -> str:
    if not (result := results.get("ratings/ml-100k")):
        return ""
    (row,) = result["rows"]
    figures = (row["scored"], f"{row['rmse']:.4f}", f"{row['mae']:.4f}", f"{row['auc']:.4f}")
    head = ("ratings, each predicted before it is learned", "RMSE", "MAE", "AUC of liked (≥ 4)")
    return f"### Predicted ratings (ml-100k)\n\n{table(head, [figures])}\n"


def _lags(results: dict[str, Result], data: str) -> str:
    measured = [lag for lag in LAGS if f"lag-{lag}/{data}" in results]
    if LAGS[0] not in measured:
        return ""
    by_lag = {lag: {row["model"]: row for row in results[f"lag-{lag}/{data}"]["rows"]} for lag in measured}
    lines = []
    for name in OF_THE_ENGINE:
        at_once = by_lag[LAGS[0]][name]["hr@10"]
        if not at_once:  # one for repeats, where there are none
            continue
        later = [by_lag[lag][name]["hr@10"] for lag in measured]
        lines.append((name, *(f"{hits:.4f} ({hits / at_once - 1:+.1%})" for hits in later)))
    head = ("HR@10", *(f"{lag} events late" for lag in measured))
    return f"### Learning late ({data})\n\n{table(head, lines)}\n"


def _replicas(results: dict[str, Result]) -> str:
    measured = [replicas for replicas in REPLICAS if f"replicas-{replicas}/ml-1m" in results]
    lines = []
    for replicas in measured:
        (row,) = results[f"replicas-{replicas}/ml-1m"]["rows"]
        lines.append((replicas, _with_interval(row, "hr@10"), _with_interval(row, "ndcg@10"), row["scored"]))
    if not lines:
        return ""
    head = ("workers", "HR@10", "NDCG@10", "ranked")
    return f"""### Several workers write the learning log (ml-1m)

All workers fold the same log, so they hold the same model. What several change is the order: of every 40 events, each
worker's own stand together, and are learned 40 events late on average.

{table(head, lines)}
"""


def pace(figures: dict[str, Any], results: dict[str, Result]) -> list[tuple[str, str, str]]:
    """Return rows that set workers fed at a rate beside the evaluator on the same stream: what, HR@10, NDCG@10."""
    rows = [
        (f"worker, {name}, {run['events_per_batch']} events a batch", run["hit_rate_at_10"], run["ndcg_at_10"])
        for name, run in figures.items()
    ]
    for lag in PACES:
        if result := results.get(f"pace-{lag}/ml-100k"):
            (row,) = result["rows"]
            rows.append((f"evaluator, {lag} events late", row["hr@10"], row["ndcg@10"]))
    return [(what, f"{hits:.4f}", f"{gain:.4f}") for what, hits, gain in rows]


def _cold(results: dict[str, Result], data: str) -> str:
    if not (result := results.get(f"cold-items/{data}")):
        return ""
    lines = []
    for each in result["comparisons"]:
        if each["metric"] == "hr@10":
            with_content, without = (
                next(row for row in result["rows"] if row["model"] == each[side]) for side in ("model", "against")
            )
            figures = (f"{row['hr@10']:.4f}" for row in (with_content, without))
            lines.append((each["model"].removesuffix(", content"), *figures, _percent(each)))
    head = ("HR@10", "with content", "without", "")
    return f"### Items that are new in a running system ({data}): their first 20 events\n\n{table(head, lines)}\n"


def _shuffled(results: dict[str, Result], data: str) -> str:
    if not (result := results.get(f"shuffle/{data}")):
        return ""
    rows = {row["model"]: row for row in result["rows"]}
    lines = []
    for name in OF_THE_ENGINE:
        own, twin = rows[name]["hr@10"], rows[f"{name}:shuffled"]["hr@10"]
        if own:
            lines.append((name, f"{own:.4f}", f"{twin:.4f}", f"{twin / own - 1:+.1%}"))
    head = ("HR@10", "in order", "shuffled", "")
    return f"### What the order of a history is worth ({data})\n\n{table(head, lines)}\n"


def _with_interval(row: Row, metric: str) -> str:
    low, high = row[f"{metric}_interval"]
    return f"{row[metric]:.4f} ±{(high - low) / 2:.4f}"


def _against(result: Result, other: str, metric: str, **where: object) -> Row:
    return next(
        each
        for each in result["comparisons"]
        if (each["against"], each["metric"]) == (other, metric) and all(each[name] == v for name, v in where.items())
    )


def _percent(comparison: Row) -> str:
    if comparison["difference"] and not comparison["relative"]:
        return "–"  # nothing to divide by
    low, high = comparison["relative_interval"]
    return f"{comparison['relative']:+.1%} ({low:+.1%} … {high:+.1%})"


def _passed_over(row: Row) -> str:
    names = ("first_of_user", "first_of_item", "had_before", "no_wish")
    return ", ".join(f"{name.replace('_', ' ')} {row[name]:,}" for name in names if name in row) or "all"
