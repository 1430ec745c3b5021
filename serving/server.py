"""The web server that runs the application: one event loop on uvloop, requests parsed by httptools."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Sequence
from types import FrameType

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
        log_config=None,  # as the process has it
        access_log=False,
        server_header=False,
        date_header=False,
        proxy_headers=bool(proxies),
        forwarded_allow_ips=list(proxies),
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=DRAIN_S,
    )


class Server(uvicorn.Server):
    """A server that says for a while that it is about to end, so that nobody is sent to it any more, and then ends.

    Parameters
    ----------
    config : uvicorn.Config
    leave_s : float
        For how long after SIGTERM it still accepts requests; a second signal ends it at once, as Ctrl-C does.
    """

    def __init__(self, config: uvicorn.Config, leave_s: float = 0.0) -> None:
        super().__init__(config)
        self._leave_s = leave_s
        self._loop: asyncio.AbstractEventLoop | None = None
        self.leaving = False

    async def serve(self, *args: object, **kwargs: object) -> None:
        """Serve until a signal comes."""
        self._loop = asyncio.get_running_loop()
        await super().serve(*args, **kwargs)  # type: ignore[arg-type]

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to end."""
        if sig != signal.SIGTERM or self.leaving or not self._leave_s or self._loop is None:
            super().handle_exit(sig, frame)
            return
        self.leaving = True
        self._loop.call_soon_threadsafe(self._loop.call_later, self._leave_s, super().handle_exit, sig, None)
