"""The HTTP service: the application that is given what it needs, put together from :mod:`serving.routes`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI

from serving import problems
from serving.access import Keyring
from serving.catalogue import Catalogue
from serving.edge import Edge, Limits
from serving.people import Naming, as_given
from serving.profiles import Profiles
from serving.reader import Reader
from serving.recommend import FALLBACKS
from serving.routes import asking, events, explain, gorse, health, items, lists, stream, users
from serving.streams import Streams
from serving.waiting import Waiting
from serving.writing import Writing

DESCRIPTION = "Recommendations that follow every event: read lists, ask for guests, see why."


def create_app(
    reader: Reader,
    fallbacks: Sequence[str] = FALLBACKS,
    naming: Naming = as_given,
    keyring: Keyring | None = None,
    limits: Limits | None = None,
    writing: Writing | None = None,
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
    gorse_types : mapping of str to str, optional
        Offer Gorse's interface too; these names of feedback, beside ours, are known.
    """
    writing = writing or Writing()
    publisher = writing.publisher
    waiting = Waiting(reader, writing.topics, writing.waiting)
    catalogue, profiles = Catalogue(reader, publisher, waiting), Profiles(publisher, writing.people, naming)
    at_once, lexicon = writing.events_at_once, writing.lexicon
    others = []
    if gorse_types is not None:
        parts = (reader, waiting, publisher, catalogue, profiles, lexicon, fallbacks, naming, gorse_types, at_once)
        others = gorse.routes(gorse.Gorse(*parts))

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with reader:
            yield
        await publisher.close()

    app = FastAPI(
        title="Headrace",
        description=DESCRIPTION,
        routes=[
            *lists.routes(reader, waiting, fallbacks, naming),
            *asking.routes(reader, lexicon, fallbacks, naming),
            *explain.routes(reader, naming),
            *health.routes(reader),
            *events.routes(publisher, at_once, naming),
            *items.routes(catalogue, at_once),
            *users.routes(profiles),
            *stream.routes(reader, Streams(reader, writing.streams), naming),
            *others,
        ],
        lifespan=lifespan,
        redirect_slashes=False,
        docs_url=None,  # its page would fetch scripts from elsewhere
        redoc_url=None,
    )
    problems.install(app)
    app.add_middleware(Edge, keyring or Keyring(), limits or Limits())
    return app
