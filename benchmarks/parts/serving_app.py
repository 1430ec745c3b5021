"""The service with a bare route beside its own, in the same server: one Redis GET, and its bytes are the answer.

Arguments: URL of Redis, prefix of the keys. Prints the port.
"""

from __future__ import annotations

import socket
import sys

import uvicorn
from fastapi import FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from serving.api import create_app
from serving.reading.reader import Reader
from serving.server import config


def with_control(reader: Reader) -> FastAPI:
    """Return the service with the control as ``/bare/USER``, first among its routes.

    It reads over the service's own connection, where what is asked at the same time goes out together: a client of
    redis-py is slower.
    """

    async def bare(request: Request) -> Response:
        keys = await reader.namespace()
        value = await reader.stored_list(request.path_params["user"], keys)
        return Response(value or b"", media_type="application/json")

    app = create_app(reader)
    app.router.routes.insert(0, Route("/bare/{user}", bare))
    return app


def _main(url: str, prefix: str) -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    print(listener.getsockname()[1], flush=True)
    uvicorn.Server(config(with_control(Reader(url, prefix)))).run(sockets=[listener])


if __name__ == "__main__":
    _main(sys.argv[1], sys.argv[2])
