"""The web server that runs the application: one event loop on uvloop, requests parsed by httptools."""

from __future__ import annotations

import uvicorn
from fastapi import FastAPI

# A client that sends its request slower than this is not one; what answers to it is never waited for longer.
KEEP_ALIVE_S = 75
DRAIN_S = 10


def config(app: FastAPI) -> uvicorn.Config:
    """Return how the application is served: by a command, and in benchmarks.

    What was asked before the end is answered, for at most :data:`DRAIN_S` seconds.
    """
    return uvicorn.Config(
        app,
        loop="uvloop",
        http="httptools",
        log_level="warning",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_S,
    )
