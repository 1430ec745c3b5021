"""Users: what they are described as, what is kept of them, and that it goes."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response
from starlette.routing import BaseRoute

from serving.routes.events import accepted, form, posting
from serving.routes.parameters import Identifier
from serving.routes.route import answered, route
from serving.writing import bodies
from serving.writing.profiles import Profiles

_EXAMPLE = {
    "user": "ann",
    "attributes": {"city": "Rome"},
    "namespaces": {
        "main": {
            "history": [{"item": "film-7", "time": 1790000000000, "type": "play"}],
            "earlier": ["film-3"],
            "list": None,
            "vector": [0.25, -1.5],
        }
    },
}


def routes(profiles: Profiles) -> list[BaseRoute]:
    """Return the routes; ``profiles`` says and writes what is known of users."""

    async def put(user: Identifier, request: Request) -> Response:
        """Describe a user by attributes, in place of all earlier ones."""
        return accepted(*await profiles.put(user, bodies.fields(await request.body())))

    async def patch(user: Identifier, request: Request) -> Response:
        """Change some attributes of a user; one that is null is removed (JSON Merge Patch).

        What he was described as is looked up in Kafka: for occasional changes. A program that knows all of a user's
        attributes does better with PUT.
        """
        return accepted(*await profiles.patch(user, bodies.fields(await request.body())))

    async def export(user: Identifier) -> Response:
        """Return all that is kept of a person, as `headrace export` does; takes seconds."""
        return answered(await profiles.export(user))

    async def forget(user: Identifier) -> Response:
        """Forget a person: state, list, vector and rating row go in all namespaces, and stay away in every replay.

        It is published when this is answered, and done when the workers have read it, within a second or two.
        """
        return accepted(*await profiles.forget(user))

    async def undo(user: Identifier, item: Identifier) -> Response:
        """Take back all that a user did with an item: a refund, "remove from my history"."""
        return accepted(*await profiles.undo(user, item))

    described = form("users", "user", "forget")
    return [
        posting("/users/{user:id}", put, "PUT", described),
        posting("/users/{user:id}", patch, "PATCH", described),
        posting("/users/{user:id}", forget, "DELETE", role="admin"),
        posting("/users/{user:id}/items/{item:id}", undo, "DELETE"),
        route("/users/{user:id}/export", export, dict[str, Any], 422, 503, role="admin", example=_EXAMPLE),
    ]
