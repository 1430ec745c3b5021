"""Whether the service stands, and whether what it reads is being kept fresh."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from fastapi import Response
from starlette.routing import BaseRoute

from serving.edge import problems
from serving.edge.metrics import ServingMetrics
from serving.reading.reader import Reader
from serving.reading.readiness import not_ready
from serving.routes.route import answered, route


@dataclass(frozen=True, slots=True)
class State:
    """That the service stands."""

    status: str


def routes(reader: Reader, leaving: Callable[[], bool], metrics: ServingMetrics) -> list[BaseRoute]:
    """Return the routes; probes of a supervisor carry no keys, so they are open."""

    async def health() -> Response:
        """Say that the process is up."""
        return answered(State("ok"))

    async def ready() -> Response:
        """Say that Redis answers, that a worker keeps the lists fresh, and that the service is to stay."""
        if leaving():
            return problems.problem(503, "the service is about to end; ask another one")
        reason = not_ready(await reader.statuses(), time.time_ns() // 1_000_000)
        return answered(State("ready")) if reason is None else problems.problem(503, reason)

    return [
        route("/health", health, State, role="open", example=State("ok")),
        route("/ready", ready, State, 503, role="open", example=State("ready")),
        route("/metrics", metrics.answer, None, role="read", include_in_schema=False),
    ]
