"""The part of docs/results.md on what becomes of events: crashes, several workers, replays, a long run."""

from __future__ import annotations

from statistics import median
from typing import Any

from benchmarks.parts.tables import table

_EQUALITIES = ("model_equals_log", "counts_equal", "histories_equal")


def crashes(runs: dict[str, dict[str, Any]]) -> str:
    """Return the section on one worker's crashes.

    Parameters
    ----------
    runs : dict
        Options of ``benchmarks.crash`` → its figures.
    """
    rows = [
        (
            f"`{options}`",
            "; ".join(f"{count} × {what}" if count > 1 else what for what, count in _kinds(run["disturbances"])),
            f"{run['events']:,}",
            *("yes" if run[name] else "**no**" for name in _EQUALITIES),
            run["lost"],
            run["doubled"],
        )
        for options, run in runs.items()
    ]
    head = ("options", "disturbed", "events", "model", "counts", "histories", "lost", "doubled")
    return f"""## Disturbed and undisturbed

`python -m benchmarks.crash --data ml-100k`: while events arrive, a worker is killed (SIGKILL, between 0 and 3 s after
the first acknowledgement since its restart), dies at a named step, or loses its broker or its store. At the end its
model must equal a fresh fold of its learning log bit for bit, its counts and every user's stored state those of an
undisturbed worker; lost and doubled are counted from both exports.

{table(head, rows)}
"""


def _kinds(disturbances: dict[str, int]) -> list[tuple[str, int]]:
    """Return what happened how often, failpoints counted together."""
    points = {name: count for name, count in disturbances.items() if ":" in name}
    others = [(name, count) for name, count in disturbances.items() if ":" not in name]
    return [*others, *([("death at a failpoint", sum(points.values()))] if points else [])]


def workers(figures: dict[str, Any]) -> str:
    """Return the section on two workers that are disturbed."""
    kinds = sorted({each["what"] for each in figures["disturbances"]})
    rows = []
    for kind in kinds:
        own, others = (
            [each[name] for each in figures["disturbances"] if each["what"] == kind and each[name] is not None]
            for name in ("its_partitions_s", "the_others_s")
        )
        rows.append((kind.replace("_", " "), len(own), *_middle_and_most(own), *_middle_and_most(others)))
    equal = "yes" if all(figures[name] for name in _EQUALITIES) else "**no**"
    alike = "yes" if figures["replicas_equal"] else "**no**"
    return f"""## Two workers, joined, left, killed, asleep

`python -m benchmarks.workers`: {figures["published"]:,} events of {figures["users"]:,} users; session timeout
{figures["session_s"]:g} s. Model, counts and histories equal to a worker's that was alone: {equal};
{figures["lost"]} lost, {figures["doubled"]} doubled; replicas equal bit for bit: {alike};
{figures["lists_read"]:,} lists read meanwhile, {len(figures["older_lists"])} of them older than one read before.

Longest time without a new list, in seconds: of the partitions of the worker that was disturbed, and of the other's.

{table(("what", "times", "its: median", "most", "the other's: median", "most"), rows)}
"""


def _middle_and_most(seconds: list[float]) -> tuple[str, str]:
    return (f"{median(seconds):.2f}", f"{max(seconds):.2f}") if seconds else ("", "")


def replay(figures: dict[str, Any]) -> str:
    """Return the section on replays."""
    medians, shares, quality = figures["medians"], figures["of_control"], figures["hit_rate"]
    loads = [each[side]["load"] for each in figures["runs"] for side in ("control", "replay")]
    rows = [(name.replace("_", " "), f"{medians[name]:,.0f}", shares[name]) for name in medians]
    return f"""## Replay

`python -m benchmarks.replay`: {figures["settings"]["events"]:,} events of MovieLens 1M through Kafka, beside a control
in the same run that reads the same topics, decodes and sets a constant value for each event; medians of
{figures["settings"]["runs"]} rounds, load {min(loads)} to {max(loads)}.

{table(("what", "events/s", "of the control"), rows)}

Hit rate at 10 of {quality["scored"]:,} events: {quality["replay"]:.4f}, the evaluator's on the same stream
{quality["evaluator"]:.4f}. Two replays differ in {len(figures["different"])} keys.
"""


def soak(figures: dict[str, Any]) -> str:
    """Return the section on a long run."""
    curve, settings = figures["curve"], figures["settings"]
    step = max(len(curve) // 12, 1)
    rows = [
        (
            f"{each['second'] / 60:.1f}", f"{each['events']:,}", f"{each['lag']:,}", round(each["worker_mb"]),
            round(each["redis_mb"]), f"{each['keys']:,}", f"{each['items']:,}", f"{each['resident_users']:,}",
        )
        for each in curve[step - 1 :: step]
    ]  # fmt: skip
    bars = [
        (bar["what"], bar["measured"], f"≤ {bar['must']}", "yes" if bar["met"] else "**no**") for bar in figures["bars"]
    ]
    head = ("minute", "events", "lag", "worker, MB", "Redis, MB", "keys", "items", "users in memory")
    return f"""## A long run

`python -m benchmarks.soak`: {settings["minutes"]:g} minutes at {settings["rate"]:,} events/s, new users and items all
the time, old ones idle; freshness p50 {figures["freshness_ms"][0]:g} ms, p99 {figures["freshness_ms"][1]:g} ms.

{table(("measured", "figure", "bar", "met"), bars)}

{table(head, rows)}
"""
