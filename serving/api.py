"""The HTTP service: the application that is given what it needs, put together from :mod:`serving.routes`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI

from serving.edge import problems
from serving.edge.access import Keyring
from serving.edge.edge import Edge, Limits
from serving.edge.metrics import Measured, ServingMetrics
from serving.lists.recommend import FALLBACKS
from serving.reading.live import History
from serving.reading.reader import Reader
from serving.reading.streams import Streams
from serving.reading.waiting import Waiting
from serving.routes import asking, events, explain, gorse, health, items, lists, live, page, stream, users
from serving.routes.route import Route
from serving.writing.catalogue import Catalogue
from serving.writing.people import Naming, as_given
from serving.writing.profiles import Profiles
from serving.writing.writing import Writing

DESCRIPTION = "Recommendations that follow every event: read lists, ask for guests, see why."


def create_app(
    reader: Reader,
    fallbacks: Sequence[str] = FALLBACKS,
    naming: Naming = as_given,
    keyring: Keyring | None = None,
    limits: Limits | None = None,
    writing: Writing | None = None,
    leaving: Callable[[], bool] = lambda: False,
    metrics: ServingMetrics | None = None,
    history: History | None = None,
    gorse_types: Mapping[str, str] | None = None,
) -> FastAPI:
    """Build the application.

    Parameters
    ----------
    reader : Reader
        Where lists come from; the application closes it when it stops.
    fallbacks : sequence of str
        What is shown to a user who has no list, in this order.
    naming : Naming
        How users are called in the store.
    keyring : Keyring, optional
        Without keys everybody may do everything.
    limits : Limits, optional
        What a request may be.
    writing : Writing, optional
        Where what is published goes; without it every such request is refused.
    leaving : callable
        Whether the service is about to end: then it is not ready, though it still answers.
    metrics : ServingMetrics, optional
        Where requests are counted.
    history : History, optional
        Reads users' stored states; without it nothing is said of what they did.
    gorse_types : mapping of str to str, optional
        Offer Gorse's interface too; these names of feedback, beside ours, are known.
    """
    writing = writing or Writing()
    publisher = writing.publisher
    waiting = Waiting(reader, writing.topics, writing.waiting)
    catalogue, profiles = Catalogue(reader, publisher, waiting), Profiles(publisher, writing.people, naming)
    at_once, lexicon = writing.events_at_once, writing.lexicon
    others = []
    history = history or (lambda state: ())
    if gorse_types is not None:
        parts = (reader, waiting, publisher, catalogue, profiles, lexicon, history, fallbacks, naming, gorse_types)
        others = gorse.routes(gorse.Gorse(*parts, at_once))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with reader:
            yield
        await publisher.close()

    metrics = metrics or ServingMetrics(reader)
    app = FastAPI(
        title="Headrace",
        description=DESCRIPTION,
        routes=[
            *lists.routes(reader, waiting, fallbacks, naming),
            *asking.routes(reader, lexicon, fallbacks, naming),
            *explain.routes(reader, naming),
            *events.routes(publisher, at_once, naming),
            *items.routes(catalogue, at_once),
            *users.routes(profiles),
            *stream.routes(reader, Streams(reader, writing.streams), naming),
            *health.routes(reader, leaving, metrics),
            *live.routes(reader, history, naming),
            *page.routes(),
            *others,
        ],
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,  # its page would fetch scripts from elsewhere
        redoc_url=None,
    )
    problems.install(app)
    if keyring:
        _document_keys(app)
    app.add_middleware(Edge, keyring or Keyring(), limits or Limits())
    app.add_middleware(Measured, metrics=metrics)  # around the edge: what that refuses is counted too
    return app


def _document_keys(app: FastAPI) -> None:
    """Let OpenAPI say that an API key is needed, and of which role."""
    document = app.openapi()
    document["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
    for route in app.routes:
        if isinstance(route, Route) and route.role != "open" and route.include_in_schema:
            for method in route.methods or ():
                operation = document["paths"][route.path_format][method.lower()]
                operation["security"] = [{"key": [route.role]}]
