"""A real service in a process of its own, and one connection to it."""

from __future__ import annotations

import http.client
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

import orjson

from benchmarks.parts.place import ROOT, Place, environment
from infra.errors import HeadraceError

_STOP_S = 30.0


class Service:
    """A connection that is kept open, as between an application server and the service.

    Parameters
    ----------
    url : str
        Of the service.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        self._connection.connect()
        self._connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def ask(self, method: str, path: str, body: Any = None) -> tuple[dict[str, Any], dict[str, str]]:
        """Return the answer to a request, and its headers.

        Raises
        ------
        HeadraceError
            When it is an error.
        """
        sent = None if body is None else orjson.dumps(body)
        self._connection.request(method, path, sent, {"Content-Type": "application/json"})
        response = self._connection.getresponse()
        content = response.read()
        if response.status >= 300:
            raise HeadraceError(f"{method} {path[:80]}: {response.status} {content[:500].decode(errors='replace')}")
        answer: dict[str, Any] = orjson.loads(content)
        return answer, {name.lower(): value for name, value in response.getheaders()}


@contextmanager
def running_service(place: Place) -> Iterator[Service]:
    """Start ``headrace serve`` on a free port, and end it in order after the block."""
    command = [sys.executable, "-u", "-m", "commands", "serve", "--home", place.settings.home, "--port", "0"]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, env=environment(), cwd=ROOT
    )
    try:
        assert process.stdout
        said = process.stdout.readline()
        url = next((word for word in said.split() if word.startswith("http")), None)
        if url is None:
            raise HeadraceError(f"the service has not started: {said!r}")
        yield Service(url)
        process.send_signal(signal.SIGTERM)
        process.wait(_STOP_S)
    finally:
        process.kill()
        process.wait()
