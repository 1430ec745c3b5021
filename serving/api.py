"""The HTTP service: the application that is given what it needs, put together from :mod:`serving.routes`."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from serving import problems
from serving.reader import Reader
from serving.routes import health, lists


def create_app(reader: Reader, list_length: int) -> FastAPI:
    """Build the application.

    Parameters
    ----------
    reader : Reader
        Where lists come from; the application closes it when it stops.
    list_length : int
        The largest ``n`` that may be asked for.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with reader:
            yield

    app = FastAPI(
        title="Headrace",
        routes=[*lists.routes(reader, list_length), *health.routes(reader)],
        lifespan=lifespan,
        redirect_slashes=False,
    )
    problems.install(app)
    return app
