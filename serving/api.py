"""The HTTP service: the application that is given what it needs, put together from :mod:`serving.routes`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI

from serving import problems
from serving.lexicon import load_lexicon
from serving.live import History
from serving.reader import Reader
from serving.recommend import FALLBACKS
from serving.routes import asking, events, explain, health, items, lists, live, page, stream, users
from serving.streams import Streams
from serving.waiting import Waiting
from serving.writing import Writing


def create_app(
    reader: Reader,
    fallbacks: Sequence[str] = FALLBACKS,
    writing: Writing | None = None,
    history: History | None = None,
) -> FastAPI:
    """Build the application.

    Parameters
    ----------
    reader : Reader
        Where lists come from; the application closes it when it stops.
    fallbacks : sequence of str
        What is shown to a user who has no list, in this order.
    writing : Writing, optional
        Where what is published goes; without it every such request is refused.
    history : History, optional
        Reads users' stored states; without it nothing is said of what they did.
    """
    writing = writing or Writing()
    publisher = writing.publisher
    waiting = Waiting(reader, writing.topics, writing.waiting)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with reader:
            yield
        await publisher.close()

    app = FastAPI(
        title="Headrace",
        routes=[
            *lists.routes(reader, waiting, fallbacks),
            *asking.routes(reader, load_lexicon(writing.lexicon), fallbacks),
            *explain.routes(reader),
            *health.routes(reader),
            *events.routes(publisher, writing.events_at_once),
            *items.routes(reader, publisher, waiting),
            *users.routes(publisher, writing.people),
            *stream.routes(reader, Streams(reader, writing.streams)),
            *live.routes(reader, history or (lambda state: ())),
            *page.routes(),
        ],
        lifespan=lifespan,
        redirect_slashes=False,
    )
    problems.install(app)
    return app
