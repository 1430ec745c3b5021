"""The section of docs/results.md on scale."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from benchmarks.parts.tables import table
from benchmarks.scale import bars

_RUNS = (
    "workers", "events/s", "CPU µs per event, each worker", "all workers", "log on disk, bytes per event",
    "as records", "models alike",
)  # fmt: skip
_IN_REDIS = ("state", "list", "vector")


def scale(figures: dict[str, Any]) -> str:
    """Return the section, from what ``benchmarks.scale`` has left."""
    found = [
        (bar["what"], bar["measured"], f"≤ {bar['must']:g}", "yes" if bar["met"] else "**no**") for bar in bars(figures)
    ]
    parts: dict[str, Callable[[Any], str]] = {"workers": _workers, "users": _users, "items": _items, "start": _start}
    first = next(iter(figures.values()))["machine"]
    loads = [part["load"] for part in figures.values()]
    head = f"""## Scale

`python -m benchmarks.scale`; how to size a deployment by it: [capacity.md](capacity.md). Machine: {first["cpu"]},
{first["cores"]} cores, load {min(loads)} to {max(loads)} at the end of its parts.

{table(("measured", "figure", "bar", "met"), found)}
"""
    return "\n".join([head, *(write(figures[part]["figures"]) for part, write in parts.items() if part in figures)])


def _workers(found: dict[str, Any]) -> str:
    runs = [
        (
            run["workers"], f"{run['events_per_s']:,}", run["cpu_us_per_event_of_each"], run["cpu_us_per_event_in_all"],
            run["log"]["on_disk"], run["log"]["as_records"], "yes" if run["model_alike"] else "**no**",
        )
        for run in found["runs"]
    ]  # fmt: skip
    fit = found["fit"]
    residual = ", ".join(f"{value} ({workers})" for workers, value in fit["residual_us"].items())
    paper = [(workers, f"{rate:,}") for workers, rate in fit["events_per_s"].items()]
    fills = fit["learning_fills_a_core_at"]
    return f"""### Workers

{found["events"]:,} events of {found["visitors"]:,} visitors on {found["items"]:,} items, published before;
8 partitions. All processes, the broker and the store share the machine's cores: what to look at is CPU, not speed.

{table(_RUNS, runs)}

Each of w workers spends own / w + learn on an event of the whole stream; least squares give own = {fit["own_us"]} µs,
learn = {fit["learn_us"]} µs, with residuals of {residual} µs. On paper, each worker on a core of its own:

{table(("workers", "events/s"), paper)}

Learning alone fills every worker's core at {f"{fills:,}" if fills else "no measurable number of"} events/s.
"""


def _users(found: list[dict[str, Any]]) -> str:
    rows = [
        (
            f"{each['users']:,}", each["events_of_each"], *(each["redis"][part] for part in _IN_REDIS),
            sum(each["redis"].values()), each["worker"],
        )
        for each in found
    ]  # fmt: skip
    return f"""### Users

Bytes per user, keys and the store's own overhead included; ids of 8 characters, {found[0]["items"]:,} items.

{table(("users", "events of each", "Redis: state", "list of 100", "vector", "in all", "resident in a worker"), rows)}
"""


def _items(found: dict[str, Any]) -> str:
    rows = []
    for name, each in found.items():
        file = each.get("checkpoint", {})
        made = [
            file.get(part, "not measured") for part in ("mb", "copy_s", "write_s", "read_s", "worker_bytes_per_item")
        ]
        speed = [each["speed"].get(part, "not measured") for part in ("learn_us", "refresh_us", "refresh_alone_us")]
        rows.append((name, f"{each['events']:,}", *speed, *made))
    head = (
        "items",
        "events",
        "learn, µs",
        "list, µs",
        "one alone, µs",
        "checkpoint, MB",
        "copy, s",
        "write, s",
        "read, s",
        "worker, bytes per item",
    )
    return f"""### Items

{table(head, rows)}
"""


def _start(found: list[dict[str, Any]]) -> str:
    starts = {f"{each['items']:,} items, {how}": start for each in found for how, start in each["starts"].items()}
    parts = list(dict.fromkeys(part for start in starts.values() for part in start["median_ms"]))
    rows = [(part, *(start["median_ms"].get(part, 0) for start in starts.values())) for part in parts]
    for name, total in (("in all", "median_s"), ("of a core", "median_cpu_s")):
        rows.append((name, *(round(1000 * start[total]) for start in starts.values())))
    return f"""### Restart

A worker with a static identity is killed and started, anew by whoever supervises it, or by the process that
`--respawn` keeps behind it; ms until its first event's list is in the store, by part (`start_ms` of the worker's
status), medians of {len(found[0]["starts"]["anew"]["runs"])}; {found[0]["log_tail_events"]:,} events after the last
checkpoint.

{table(("part", *starts), rows)}
"""
