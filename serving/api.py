"""The HTTP service: the application that is given what it needs, put together from :mod:`serving.routes`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI

from serving import problems
from serving.metrics import Measured, ServingMetrics
from serving.reader import Reader
from serving.recommend import FALLBACKS
from serving.routes import asking, explain, health, lists


def create_app(
    reader: Reader,
    fallbacks: Sequence[str] = FALLBACKS,
    leaving: Callable[[], bool] = lambda: False,
    metrics: ServingMetrics | None = None,
) -> FastAPI:
    """Build the application.

    Parameters
    ----------
    reader : Reader
        Where lists come from; the application closes it when it stops.
    fallbacks : sequence of str
        What is shown to a user who has no list, in this order.
    leaving : callable
        Whether the service is about to end: then it is not ready, though it still answers.
    metrics : ServingMetrics, optional
        Where requests are counted.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with reader:
            yield

    metrics = metrics or ServingMetrics(reader)
    app = FastAPI(
        title="Headrace",
        routes=[
            *lists.routes(reader, fallbacks),
            *asking.routes(reader, fallbacks),
            *explain.routes(reader),
            *health.routes(reader, leaving, metrics),
        ],
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.add_middleware(Measured, metrics=metrics)
    problems.install(app)
    return app
