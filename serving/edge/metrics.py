"""What the HTTP service says of itself to Prometheus: its requests and its store."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterator
from itertools import accumulate
from time import perf_counter
from typing import Final

from fastapi import Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, ProcessCollector, generate_latest
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from serving.reading.reader import Reader

BOUNDS_S: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Upper bounds in seconds, themselves included; a last bin has what lies beyond."""
_BOUNDS = (*(str(bound) for bound in BOUNDS_S), "+Inf")
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_UNMATCHED = "unmatched"
_Key = tuple[str, str, int]
"""Method, route, status."""


class ServingMetrics(Collector):
    """Counts requests by method, route and status.

    Parameters
    ----------
    reader : Reader
        Whose failures are told as well.

    Attributes
    ----------
    registry : CollectorRegistry
        These metrics and those of the process.

    Examples
    --------
    >>> app.add_middleware(Measured, metrics=metrics)  # doctest: +SKIP
    """

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._requests: dict[_Key, list[float]] = {}  # counts by bin, then the sum in s
        self.registry = CollectorRegistry()
        self.registry.register(self)
        ProcessCollector(registry=self.registry)

    def count(self, scope: Scope, status: int, seconds: float) -> None:
        """Count a request; its route stands in the scope once it was found."""
        key = (scope["method"], getattr(scope.get("route"), "path_format", _UNMATCHED), status)
        counts = self._requests.get(key)
        if counts is None:
            counts = self._requests.setdefault(_bounded(key), [0.0] * (len(_BOUNDS) + 1))
        counts[bisect_left(BOUNDS_S, seconds)] += 1
        counts[-1] += seconds

    def answer(self) -> Response:
        """Return everything in Prometheus' text format."""
        return Response(generate_latest(self.registry), media_type=CONTENT_TYPE_LATEST)

    def describe(self) -> list[Metric]:
        """Return nothing: names are known by :meth:`collect`."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics."""
        family = HistogramMetricFamily(
            "headrace_http_request_seconds",
            "Until an answer begins.",
            labels=("method", "route", "status"),
        )
        for (method, route, status), (*counts, total) in list(self._requests.items()):  # asked from another thread
            buckets = list(zip(_BOUNDS, accumulate(counts), strict=True))
            family.add_metric((method, route, str(status)), buckets, total)
        yield family
        yield CounterMetricFamily(
            "headrace_redis_failures", "Questions that Redis did not answer, or not in time.", self._reader.failures
        )


class Measured:
    """ASGI middleware that counts every request when its answer begins.

    Parameters
    ----------
    app : ASGI application
    metrics : ServingMetrics
    """

    def __init__(self, app: ASGIApp, metrics: ServingMetrics) -> None:
        self._app, self._count = app, metrics.count

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, answered = perf_counter(), False

        async def counted(message: Message) -> None:
            nonlocal answered
            if message["type"] == "http.response.start":
                answered = True
                self._count(scope, message["status"], perf_counter() - begun)
            await send(message)

        try:
            await self._app(scope, receive, counted)
        except Exception:
            if not answered:  # it becomes a 500 outside of here
                self._count(scope, 500, perf_counter() - begun)
            raise


def _bounded(key: _Key) -> _Key:
    """Return the key under which it is kept: callers may think of any method."""
    method, route, status = key
    return (method if method in _METHODS else "other", route, status)
