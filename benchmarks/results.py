"""Write docs/results.md from the figures that the benchmarks left in benchmarks/results.

python -m benchmarks.event_path --only worker --only consume --json benchmarks/results/event_path.json
python -m benchmarks.event_path --only freshness --json benchmarks/results/freshness.json
python -m benchmarks.learning_log --json benchmarks/results/learning_log.json
python -m benchmarks.engine --memory --memory-events 10000000 --json benchmarks/results/engine.json
python -m benchmarks.scale --json benchmarks/results/scale.json
python -m benchmarks.crash --data FOLDER --kills 50 --json benchmarks/results/crash-kills.json
python -m benchmarks.crash --data FOLDER --failpoints --limit 20000 --json benchmarks/results/crash-failpoints.json
python -m benchmarks.crash --data FOLDER --broker-kills 5 --redis-kills 5 --limit 20000 \\
    --json benchmarks/results/crash-services.json
python -m benchmarks.workers --json benchmarks/results/workers.json
python -m benchmarks.replay --data FOLDER --json benchmarks/results/replay.json
python -m benchmarks.soak --json benchmarks/results/soak.json
python -m benchmarks.serving --json benchmarks/results/serving.json
python -m benchmarks.read_your_writes --json benchmarks/results/read_your_writes.json
python -m benchmarks.page --json benchmarks/results/page.json
headrace run --fresh --data FOLDER --json benchmarks/results/run.json
headrace run --fresh --data FOLDER --rate 200 --json benchmarks/results/run-200.json      # and --rate 2000
python -m benchmarks.quality --data FOLDER --json benchmarks/results/quality.json
python -m benchmarks.results
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.parts.durable_page import crashes, replay, soak, workers
from benchmarks.parts.quality_page import pace, quality
from benchmarks.parts.scale_page import scale
from benchmarks.parts.serving_page import live_page, read_your_writes, serving
from benchmarks.parts.tables import table

FIGURES = Path(__file__).parent / "results"
RATES = (200, 2000)
CRASHES = {
    "crash-kills": "--kills 50",
    "crash-failpoints": "--failpoints --limit 20000",
    "crash-services": "--broker-kills 5 --redis-kills 5 --limit 20000",
}
PAGE = Path(__file__).parents[1] / "docs" / "results.md"


def event_path(figures: dict[str, Any], title: str = "The event path") -> str:
    machine, versions = figures["machine"], figures["versions"]
    medians = [
        (part, name, f"{value:,}") for part, values in figures["medians"].items() for name, value in values.items()
    ]
    bars = [
        (
            bar["what"],
            bar["measured"],
            f"{'≤' if bar['at_most'] else '≥'} {bar['must']}",
            "yes" if bar["met"] else "**no**",
        )
        for bar in figures["bars"]
    ]
    rounds = min(len(runs) for runs in figures["runs"].values())
    loads = [run["load"] for runs in figures["runs"].values() for run in runs]
    shared = "; in `clicks_together` batches share lists" if "clicks_together" in figures["runs"] else ""
    return f"""## {title}

`python -m benchmarks.event_path`: interleaved runs beside controls that do the same input and output
without a recommender; medians of {rounds}. Every event of the worker's runs refreshes its user's list of 100, on
MovieLens 1M's catalogue{shared}. Machine: {machine["cpu"]}, {machine["cores"]} cores, {machine["memory_gb"]} GB,
load {min(loads)} to {max(loads)} while it ran (the benchmark itself makes about 2). Kafka {versions["kafka"]}, Redis
{versions["redis-server"]}, Python {versions["python"]}.

{table(("measured", "figure", "bar", "met"), bars)}

{table(("part", "figure", "median"), medians)}
"""


def freshness(figures: dict[str, Any]) -> str:
    return event_path(figures, "Freshness: from an event in Kafka to its list in Redis")


def learning_log(figures: dict[str, Any]) -> str:
    trips = [(load, trip["p50, ms"], trip["p99, ms"]) for load, trip in figures["trip"].items()]
    costs = [
        (size, *(cost[name] for name in ("encode", "encode and append", "decode", "fold")))
        for size, cost in figures["cost"].items()
    ]
    return f"""## The learning log

`python -m benchmarks.learning_log`; what follows from it: [decisions/learning-log.md](decisions/learning-log.md).

{table(("load", "append → learned, p50 ms", "p99 ms"), trips)}

Microseconds per event by events in a record:

{table(("events", "encode", "encode and append", "decode", "fold"), costs)}
"""


def engine(figures: dict[str, Any]) -> str:
    machine, settings, sizes = figures["machine"], figures["settings"], list(figures["medians"])
    first = figures["medians"][sizes[0]]
    parts = [(part, *(figures["medians"][size][part] for size in sizes)) for part in first]
    lowest = ("learn + refresh, quietest round", *(figures["lowest"][size]["learn + refresh"] for size in sizes))
    ratios = [(name, *(figures["ratios"][size][name] for size in sizes)) for name in figures["ratios"][sizes[0]]]
    bars = [
        (bar["what"], bar["measured"], f"≤ {bar['must']:g}", "yes" if bar["met"] else "**no**")
        for bar in figures["bars"]
    ]
    loads = [one["load"] for rounds in figures["rounds"].values() for one in rounds]
    page = f"""## The engine

`python -m benchmarks.engine`: µs of one core per event (observe, rank, learn) or list of 100 with 20 reasons (refresh,
encode) on synthetic streams, by size of the catalogue; medians of {settings["rounds"]} rounds in which all parts and
the control take turns. The control is plain NumPy: a matrix product and the 100 largest for 64 users, and one event's
gradient step on 200 negatives. Machine: {machine["cpu"]}, {machine["cores"]} cores, load {min(loads)} to {max(loads)}
while it ran.

{table(("measured", "figure", "bar", "met"), bars)}

{table(("part", *(f"{size} items" for size in sizes)), [*parts, lowest])}

Ratio to the control:

{table(("ratio", *(f"{size} items" for size in sizes)), ratios)}
"""
    if "memory" not in figures:
        return page
    curve = figures["memory"]["curve"]
    step = max(len(curve) // 10, 1)
    shown = [(f"{events:,}", round(size)) for events, size in curve[step - 1 :: step]]
    return f"""{page}
Memory of `observe` and `learn` over {figures["memory"]["events"]:,} events, new users and items all the time in a
catalogue of {figures["memory"]["items"]:,} items, {figures["memory"]["resident_users"]:,} users resident at the end:

{table(("events", "resident, MB"), shown)}
"""


def run(figures: dict[str, Any]) -> str:
    names = (
        "events_applied", "duplicates", "dead_letters", "users_with_list", "events_per_second", "hit_rate_at_10",
        "popularity_hit_rate_at_10", "list_hit_rate_at_10", "seconds",
    )  # fmt: skip
    rows = [(name, figures[name]) for name in names]
    return f"""## MovieLens 100K through Kafka, as fast as it goes

`headrace run --fresh --data ml-100k`. The hit rate is prequential: each event's item is ranked among all items known by
then, except those its user has had, before it is learned.

{table(("what", "found"), rows)}

The same stream at a steady rate, beside the evaluator on it, which is told to learn so many events late:

{table(("what", "HR@10", "NDCG@10"), pace(_paced(figures), _jobs()))}
"""


def _figures(name: str) -> dict[str, Any] | None:
    path = FIGURES / f"{name}.json"
    return json.loads(path.read_text("utf-8")) if path.exists() else None


def _paced(fastest: dict[str, Any]) -> dict[str, dict[str, Any]]:
    found = {f"{rate:,} events/s": figures for rate in RATES if (figures := _figures(f"run-{rate}"))}
    return found | {"as fast as it goes": fastest}


def _jobs() -> dict[str, Any]:
    return {name: done["result"] for name, done in (_figures("quality") or {"jobs": {}})["jobs"].items()}


def main() -> None:
    parts = {
        "event_path": event_path, "freshness": freshness, "engine": engine, "learning_log": learning_log,
        "scale": scale, "workers": workers, "replay": replay, "soak": soak, "serving": serving,
        "read_your_writes": read_your_writes, "page": live_page, "run": run, "quality": quality,
    }  # fmt: skip
    pages = {name: parts[name](figures) for name in parts if (figures := _figures(name))}
    disturbed = {options: figures for name, options in CRASHES.items() if (figures := _figures(name))}
    if disturbed:
        pages = {"crashes": crashes(disturbed), **pages}
    head = "# Results\n\nWritten by `python -m benchmarks.results` from the figures in `benchmarks/results`.\n"
    PAGE.write_text("\n".join([head, *pages.values()]), "utf-8")


if __name__ == "__main__":
    main()
