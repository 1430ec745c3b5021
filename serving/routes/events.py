"""Publishing events: clicks, ratings and what was shown."""

from __future__ import annotations

import time
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

from fastapi import Header, Request, Response
from starlette.routing import BaseRoute

from contracts.events import Click, Event, Impression, Item, Rating
from contracts.schemas import schemas
from contracts.tokens import Place, encode_token
from serving.edge import problems
from serving.edge.access import Role
from serving.routes.route import answered, route
from serving.writing import bodies
from serving.writing.bodies import JSON_LINES, Refused
from serving.writing.people import Naming, as_given
from serving.writing.publisher import Publisher

KEY = Header(
    None,
    alias="Idempotency-Key",
    min_length=1,
    max_length=255,
    description="Names the request: the same body sent again under the same key counts once.",
)
_MEDIA_TYPES = ("application/json", JSON_LINES)
_EXAMPLE = {
    "token": "kgGTAAIr",
    "accepted": 2,
    "refused": [
        {
            "index": 1,
            "reason": "unknown type",
            "message": "'stare' is none of click, view, play, …",
            "event": '{"user":"ann","item":"film-7","type":"stare"}',
        }
    ],
}
_SAID = 3  # refused events that the message of an error names


@dataclass(frozen=True, slots=True)
class Accepted:
    """What was published."""

    token: str | None  # for `after` of GET /recommend; null where no list can show it
    accepted: int
    refused: list[Refused] = field(default_factory=list)


def routes(publisher: Publisher, at_once: int, naming: Naming = as_given) -> list[BaseRoute]:
    """Return the routes.

    Parameters
    ----------
    publisher : Publisher
        Where events go; closed by whoever made it.
    at_once : int
        Events of one request, at most.
    naming : Naming
        How users are called in the store.
    """

    async def events(request: Request, key: str | None = KEY) -> Response:
        """Publish events: one object, an array of them, or one a line (`application/x-ndjson`).

        An object with `rating` is a rating, one with `items` and `list` a list that was shown, all others are clicks.
        Each event is decided upon alone: what cannot be used stands in `refused` with the reason, the others are
        published. When this is answered, Kafka has them on all its replicas.
        """
        return await published(publisher, request, (Click, Rating, Impression), at_once, naming, key)

    return [
        posting("/events", events, "POST", body("clicks", "ratings", "impressions"), 415),
    ]


async def published(
    publisher: Publisher,
    request: Request,
    kinds: Collection[type[Event]],
    at_once: int,
    naming: Naming = as_given,
    key: str | None = None,
) -> Response:
    """Publish what a request holds, and answer it."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type not in _MEDIA_TYPES:
        # What a form on another site could send is none of these, so that no page can publish behind a visitor's back.
        said = f"{media_type[:80]!r} is not understood; send Content-Type: {' or '.join(_MEDIA_TYPES)}"
        return problems.problem(415, said)
    now = time.time_ns() // 1_000_000
    taken = bodies.take(await request.body(), media_type, kinds, now, at_once, key)
    if not taken.events:
        return _nothing(taken.refused)
    for event in taken.events:
        if not isinstance(event, Item):
            event.user = naming(event.user)
    places = await publisher.publish(taken.events)
    return answered(Accepted(encode_token(places), len(taken.events), taken.refused), 202)


def accepted(*places: Place) -> Response:
    """Answer that something stands at these places."""
    return answered(Accepted(encode_token(places), len(places)), 202)


def posting(
    path: str, endpoint: Any, method: str, openapi: dict[str, Any] | None = None, *errors: int, role: Role = "write"
) -> BaseRoute:
    """Return a route that publishes."""
    return route(
        path, endpoint, Accepted, *errors, 422, 429, 503, role=role, methods=[method], status_code=202,
        openapi_extra=openapi, example=_EXAMPLE,
    )  # fmt: skip


def body(*topics: str) -> dict[str, Any]:
    """Return what OpenAPI is to say of a body that holds events of these topics."""
    kinds = [_embedded(topic) for topic in topics]
    event = kinds[0] if len(kinds) == 1 else {"anyOf": kinds}
    lines = {"type": "string", "description": "One JSON object a line."}
    content = {
        "application/json": {"schema": {"anyOf": [event, {"type": "array", "items": event, "minItems": 1}]}},
        JSON_LINES: {"schema": lines},
    }
    return {"requestBody": {"required": True, "content": content}}


def form(topic: str, *without: str) -> dict[str, Any]:
    """Return what OpenAPI is to say of a body that holds the fields of one event, whose id stands in the path."""
    schema = _embedded(topic)
    properties = {name: said for name, said in schema["properties"].items() if name not in without}
    required = [name for name in schema.get("required", []) if name not in without]
    content = {"application/json": {"schema": {"type": "object", "properties": properties, "required": required}}}
    return {"requestBody": {"required": True, "content": content}}


def _embedded(topic: str) -> dict[str, Any]:
    return {name: said for name, said in schemas()[topic].items() if name != "$schema"}


def _nothing(refused: list[Refused]) -> Response:
    said = "; ".join(f"event {each.index}: {each.reason}: {each.message}" for each in refused[:_SAID])
    more = f"; and {len(refused) - _SAID:,} more" if len(refused) > _SAID else ""
    return problems.problem(422, said + more)
