"""Users: what they are described as, what is kept of them, and that it goes."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response
from starlette.routing import BaseRoute

from contracts.events import UNDO, Click, User
from serving import bodies
from serving.locks import Locks
from serving.people import Naming, as_given
from serving.persons import People
from serving.publisher import Publisher
from serving.routes.events import accepted, form, posting
from serving.routes.parameters import Identifier
from serving.routes.route import answered, route

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


def routes(publisher: Publisher, people: People, naming: Naming = as_given) -> list[BaseRoute]:
    """Return the routes.

    Parameters
    ----------
    publisher : Publisher
        Where records and wishes go.
    people : People
        Tells what is kept of a person.
    naming : Naming
        How users are called in the store.
    """
    locks = Locks()

    def record_of(user: str, fields: Mapping[str, Any]) -> User:
        record = bodies.one(User, fields, "user", user, time.time_ns() // 1_000_000)
        record.user = naming(record.user)
        return record

    async def put(user: Identifier, request: Request) -> Response:
        """Describe a user by attributes, in place of all earlier ones."""
        record = record_of(user, bodies.fields(await request.body()))
        async with locks.of(user):
            return accepted(*await publisher.publish([record]))

    async def patch(user: Identifier, request: Request) -> Response:
        """Change some attributes of a user; one that is null is removed (JSON Merge Patch).

        What he was described as is looked up in Kafka: for occasional changes. A program that knows all of a user's
        attributes does better with PUT.
        """
        change = bodies.fields(await request.body())
        async with locks.of(user):
            before = {"attributes": await people.attributes(naming(user))}
            record = record_of(user, bodies.merged(before, change))
            return accepted(*await publisher.publish([record]))

    async def export(user: Identifier) -> Response:
        """Return all that is kept of a person, as `headrace export` does; takes seconds."""
        return answered({**await people.export(naming(user)), "user": user})

    async def forget(user: Identifier) -> Response:
        """Forget a person: state, list, vector and rating row go in all namespaces, and stay away in every replay.

        It is published when this is answered, and done when the workers have read it, within a second or two.
        """
        record = record_of(user, {"forget": True})
        async with locks.of(user):
            return accepted(*await publisher.publish([record]))

    async def undo(user: Identifier, item: Identifier) -> Response:
        """Take back all that a user did with an item: a refund, "remove from my history"."""
        now = time.time_ns() // 1_000_000
        click = bodies.one(Click, {"item": item, "type": UNDO}, "user", user, now)
        click.user = naming(click.user)
        return accepted(*await publisher.publish([click]))

    described = form("users", "user", "forget")
    return [
        posting("/users/{user:id}", put, "PUT", described),
        posting("/users/{user:id}", patch, "PATCH", described),
        posting("/users/{user:id}", forget, "DELETE", role="admin"),
        posting("/users/{user:id}/items/{item:id}", undo, "DELETE"),
        route("/users/{user:id}/export", export, dict[str, Any], 422, 503, role="admin", example=_EXAMPLE),
    ]
