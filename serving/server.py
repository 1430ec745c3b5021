"""The web server that runs the application: one event loop on uvloop, requests parsed by httptools."""

from __future__ import annotations

from collections.abc import Sequence

import uvicorn
from fastapi import FastAPI

KEEP_ALIVE_S = 75
DRAIN_S = 10


def config(app: FastAPI, proxies: Sequence[str] = ()) -> uvicorn.Config:
    """Return how the application is served: by a command, and in benchmarks.

    What was asked before the end is answered, for at most :data:`DRAIN_S` seconds.

    Parameters
    ----------
    app : FastAPI
    proxies : sequence of str
        Addresses whose ``X-Forwarded-For`` says who asks.
    """
    return uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies),
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_S,
    )
