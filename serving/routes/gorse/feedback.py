"""Feedback: what users did, which we call events."""

from __future__ import annotations

from fastapi import Response
from starlette.routing import BaseRoute

from serving.gorse import shapes
from serving.reading import live
from serving.routes.asking import MAX_RECENT
from serving.routes.gorse.given import Gorse, answering, sent, slashed, written
from serving.routes.parameters import Identifier
from serving.routes.route import answered


def feedback(gorse: Gorse) -> list[BaseRoute]:
    """Return the routes of feedback."""

    async def put(feedback: list[shapes.Feedback]) -> Response:
        """Publish feedback: all of it, or none where one of it cannot be used."""
        return await written(gorse, len(feedback), await sent(gorse, feedback))

    async def undo(user: Identifier, item: Identifier) -> Response:
        """Take back all that a user did with an item."""
        return await written(gorse, 1, await gorse.profiles.undo(user, item))

    async def of_user(user: Identifier) -> Response:
        """Return what a user did lately, oldest first."""
        return answered([shapes.feedback_of(user, event) for event in await history(user)])

    async def of_type(user: Identifier, type: Identifier) -> Response:
        """Return what a user did lately that is of a type, oldest first."""
        wanted = shapes.type_of(type, gorse.types)
        own = [event for event in await history(user) if event.type == wanted]
        return answered([shapes.feedback_of(user, event, type) for event in own])

    async def of_item(user: Identifier, item: Identifier) -> Response:
        """Return what a user did lately with an item, oldest first."""
        return answered([shapes.feedback_of(user, event) for event in await history(user) if event.item == item])

    async def history(user: str) -> list[live.Event]:
        found = await live.visitor(gorse.reader, gorse.naming(user), gorse.history, MAX_RECENT)
        return found.events[::-1]

    several, pair = list[shapes.Feedback], "/api/feedback/{user:id}/{item:id}"
    return [
        answering("/api/feedback", put, shapes.Success, "write", 429, methods=["POST"]),
        answering("/api/feedback", put, shapes.Success, "write", 429, methods=["PUT"]),
        answering(pair, undo, shapes.Success, "write", 429, methods=["DELETE"]),
        answering(pair, of_item, several, "admin"),
        *slashed("/api/user/{user:id}/feedback", of_user, several, "admin"),
        answering("/api/user/{user:id}/feedback/{type:id}", of_type, several, "admin"),
    ]
