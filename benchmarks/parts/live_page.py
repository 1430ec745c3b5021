"""The section of docs/results.md on the live page."""

from __future__ import annotations

from typing import Any

from benchmarks.parts.tables import table


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
