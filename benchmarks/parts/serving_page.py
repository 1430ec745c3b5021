"""The part of docs/results.md on what stands before the lists: the HTTP service, its writes, the live page."""

from __future__ import annotations

from typing import Any

from benchmarks.parts.tables import table


def serving(figures: dict[str, Any]) -> str:
    """Return the section on reading over HTTP."""
    machine, rows = figures["machine"], figures["rows"]
    met = "met" if rows["plain"]["ratio_to_control"] >= figures["must_ratio"] else "**missed**"
    names = ("requests_per_second", "ratio_to_control", "p50_ms", "p99_ms", "cpu_us_per_request")
    found = [(name, *(row[figure] for figure in names)) for name, row in rows.items()]
    return f"""## Reading over HTTP

`python -m benchmarks.serving`: `wrk` with {figures["connections"]} connections; the control is a route of the same
service that does one Redis `GET` and returns the bytes. Plain is `GET /recommend/{{user}}?n=10`, its ratio must be
{figures["must_ratio"]}: {met}. Medians of {len(figures["runs"]["plain"])} rounds; each ratio is to the control's mean
just before and after.
{machine["cpu"]}, {machine["cores"]} cores for service, Redis and `wrk` together; load {rows["control"]["load"]}.

{table(("row", "requests/s", "ratio", "p50, ms", "p99, ms", "CPU µs per request"), found)}
"""


def read_your_writes(figures: dict[str, Any]) -> str:
    """Return the section on tokens."""
    parts = {"post and read": "total_ms", "post": "post_ms", "read with the token": "read_ms"}
    rows = [(name, figures[key]["p50"], figures[key]["p99"]) for name, key in parts.items()]
    for when, control in zip(("before", "after"), figures["control"], strict=True):
        rows.append((f"control, {when}", control["p50_ms"], control["p99_ms"]))
    return f"""## Read your writes

`python -m benchmarks.read_your_writes`: an event is posted, then the user's list read with the token; of
{figures["rounds"]:,} lists {figures["effects_seen"]:,} contain the event's effect. The control takes an event from
Kafka and sets a value in Redis, without a recommender and without HTTP. Load {figures["load"]}.

{table(("ms", "p50", "p99"), rows)}
"""


def live_page(figures: dict[str, Any]) -> str:
    machine, (before, after) = figures["machine"], figures["load"]
    rows = [(name, *(part[f"p{share}_ms"] for share in (50, 90, 99))) for name, part in figures["figures"].items()]
    return f"""## The live page

`python -m benchmarks.page`: from a click on an item to the frame with the changed list, in Chromium, as an observer of
its own sees it; {figures["rounds"]} rounds, another visitor each. The first control makes the same two requests without
a browser, the second changes a text by a click and asks nobody: what the browser itself takes. Machine:
{machine["cpu"]}, {machine["cores"]} cores for browser, service, worker, Kafka and Redis together; load {before} before
and {after} after.

{table(("ms", "p50", "p90", "p99"), rows)}
"""
