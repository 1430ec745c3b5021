"""A user's list as it changes, as server-sent events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Annotated, Any

import orjson
from fastapi import Query, Response
from starlette.responses import StreamingResponse
from starlette.routing import BaseRoute

from serving.answers import answers, wire
from serving.reading.reader import Reader, StoreUnavailable
from serving.reading.streams import Streams
from serving.routes.parameters import Identifier, Wanted
from serving.routes.route import route
from serving.writing.people import Naming, as_given

_BEAT_S = 15.0
_HEADERS = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
_BEAT, _AWAY = b": still here\n\n", b": the store is away\n\n"
_EXAMPLE = """event: list
id: 1790000000.17
data: {"stage":"personal","namespace":"main","version":"1790000000.17","time":1790000001234,"items":[]}

"""
_CONTENT: dict[int | str, dict[str, Any]] = {
    200: {
        "description": "Each event `list` holds the list, in the form of GET /recommend; its id is the version.",
        "content": {"text/event-stream": {"schema": {"type": "string"}, "example": _EXAMPLE}},
    }
}


def routes(reader: Reader, streams: Streams, naming: Naming = as_given, beat_s: float = _BEAT_S) -> list[BaseRoute]:
    """Return the routes.

    Parameters
    ----------
    reader : Reader
        Where lists come from.
    streams : Streams
        Tells when they change.
    naming : Naming
        How users are called in the store.
    beat_s : float
        After so many seconds without news a comment is sent, so that neither side takes the other for gone.
    """

    async def stream(user: Identifier, wanted: Annotated[Wanted, Query()]) -> Response:
        """Follow a user's list: it is sent at once, and again whenever it has changed (server-sent events)."""
        streams.admit()
        await reader.namespace(wanted.namespace)  # an error is an answer now, and not later
        return StreamingResponse(_events(naming(user), wanted), 200, _HEADERS, "text/event-stream")

    async def _events(user: str, wanted: Wanted) -> AsyncIterator[bytes]:
        sent = b""
        with streams.following(user) as changed:
            while True:
                try:
                    async with asyncio.timeout(beat_s):
                        await changed.wait()
                except TimeoutError:
                    yield _BEAT
                    continue
                changed.clear()
                try:
                    event = await _event(user, wanted)
                except StoreUnavailable:
                    yield _AWAY  # the next change is heard of once it is back
                    continue
                if event != sent:
                    sent = event
                    yield event

    async def _event(user: str, wanted: Wanted) -> bytes:
        answer = await answers.for_user(reader, user, wanted.wishes(), wanted.namespace)
        entries = await wire.entries(reader, answer.namespace, answer.items, wanted.titles, wanted.explain)
        body = orjson.dumps(wire.recommended(answer, entries))
        return b"event: list\nid: %b\ndata: %b\n\n" % ((answer.version or "").encode(), body)

    return [
        route(
            "/stream/{user:id}", stream, None, 404, 422, 429, 503, role="read", responses=_CONTENT,
            response_class=StreamingResponse,
        )
    ]  # fmt: skip
