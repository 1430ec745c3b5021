"""Metrics on a port of their own, answered from a thread: whoever may read them need not be let in elsewhere."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, start_http_server

from infra.errors import HeadraceError
from infra.settings import Metrics


def expose(registry: CollectorRegistry, metrics: Metrics) -> None:
    """Answer ``/metrics`` for as long as the process lives; not at all where the port is 0.

    Raises
    ------
    HeadraceError
        When the address cannot be listened on.
    """
    if not metrics.port:
        return
    try:
        start_http_server(metrics.port, metrics.host, registry)
    except OSError as error:
        raise HeadraceError(
            f"cannot serve metrics on {metrics.host}:{metrics.port}: {error.strerror}; give each process of a machine "
            "a port of its own with --metrics-port, or set metrics.port to 0"
        ) from error
