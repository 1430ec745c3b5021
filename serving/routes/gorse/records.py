"""What is known of items and of users."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

from fastapi import Query, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute

from contracts.tokens import Place
from serving.gorse import shapes
from serving.routes.gorse.given import Gorse, answering, bounded, written
from serving.routes.parameters import DEFAULT_N, MAX_N, Identifier
from serving.routes.route import answered
from serving.search.search import MAX_TEXT, search
from serving.writing.catalogue import made
from serving.writing.people import as_given


class Walk(BaseModel):
    """Which part of everything."""

    n: int = Field(DEFAULT_N, ge=1, le=MAX_N)
    cursor: str = Field("", pattern="^[0-9]{0,19}$", description="From the page before; empty = from the beginning.")


class Searched(Walk):
    """Which part of everything, or what fits."""

    q: str = Field("", max_length=MAX_TEXT, description="Free words: what fits them, best first, without a cursor.")


def items(gorse: Gorse) -> list[BaseRoute]:
    """Return the routes of items."""
    catalogue, reader = gorse.catalogue, gorse.reader

    async def put(item: shapes.Item) -> Response:
        """Make an item known, or replace its record."""
        return await written(gorse, 1, await catalogue.put(item.ItemId, shapes.fields_of(item)))

    async def put_many(items: list[shapes.Item]) -> Response:
        """Make items known, or replace their records."""
        bounded(gorse, items)
        records = [made(item.ItemId, shapes.fields_of(item)) for item in items]
        return await written(gorse, len(items), await catalogue.publish(records))

    async def patch(item: Identifier, change: shapes.ItemPatch) -> Response:
        """Change what is not null of an item's record."""
        return await written(gorse, 1, await catalogue.patch(item, shapes.fields_of(change)))

    async def delete(item: Identifier) -> Response:
        """Delete an item."""
        return await written(gorse, 1, await catalogue.delete(item))

    async def get(item: Identifier) -> Response:
        """Return an item."""
        return answered(shapes.item_of(await catalogue.get(item)))

    async def get_many(wanted: Annotated[Searched, Query()]) -> Response:
        """Return items: all, page by page and in no order, or what fits free words."""
        if wanted.q:
            keys = await reader.namespace()
            found = await search(reader, keys, wanted.q, gorse.lexicon)
            withheld = await reader.withheld([item for item, _ in found], keys)
            names, cursor = [item for item, _ in found if item not in withheld][: wanted.n], ""
        else:
            names, cursor = await reader.walk("item", wanted.cursor, wanted.n)
        records = await asyncio.gather(*map(reader.record, names))
        return answered({"Cursor": cursor, "Items": [shapes.item_of(each) for each in records if each is not None]})

    path = "/api/item/{item:id}"
    return [
        answering("/api/item", put, shapes.Success, "write", 429, methods=["POST"]),
        answering("/api/items", put_many, shapes.Success, "write", 429, methods=["POST"]),
        answering("/api/items", get_many, dict[str, Any], "read"),
        answering(path, get, dict[str, Any], "read", 404),
        answering(path, patch, shapes.Success, "write", 404, 429, methods=["PATCH"]),
        answering(path, delete, shapes.Success, "write", 429, methods=["DELETE"]),
    ]


def users(gorse: Gorse) -> list[BaseRoute]:
    """Return the routes of users."""
    profiles, reader = gorse.profiles, gorse.reader

    async def put(user: shapes.User) -> Response:
        """Describe a user, in place of all that was said of him before."""
        return await written(gorse, 1, await profiles.put(user.UserId, {"attributes": shapes.attributes_of(user)}))

    async def put_many(users: list[shapes.User]) -> Response:
        """Describe users."""
        bounded(gorse, users)
        described = [(user.UserId, {"attributes": shapes.attributes_of(user)}) for user in users]
        return await written(gorse, len(users), await profiles.put_many(described))

    async def patch(user: Identifier, change: shapes.UserPatch) -> Response:
        """Replace the labels of a user, where there are some in the request."""
        places = [] if change.Labels is None else await put_labels(user, change)
        return await written(gorse, 1, places)

    async def put_labels(user: str, change: shapes.UserPatch) -> list[Place]:
        return await profiles.put(user, {"attributes": shapes.attributes_of(change)})

    async def get(user: Identifier) -> Response:
        """Return a user; his labels are looked up in Kafka, so it is for occasional use."""
        attributes = await profiles.attributes(user)
        if not attributes and await reader.user_list(gorse.naming(user)) is None:
            raise HTTPException(404, f"user {user[:80]!r} has neither labels nor a list")
        return answered(shapes.user_of(user, attributes))

    async def get_many(wanted: Annotated[Walk, Query()]) -> Response:
        """Return the users who have a list, page by page and in no order; for occasional use, as one user."""
        if gorse.naming is not as_given:
            raise HTTPException(501, "users are stored under pseudonyms, which cannot be turned back into their ids")
        names, cursor = await reader.walk("top", wanted.cursor, wanted.n)
        described = await profiles.described(names)
        users = [shapes.user_of(name, described.get(name, {})) for name in names]
        return answered({"Cursor": cursor, "Users": users})

    async def forget(user: Identifier) -> Response:
        """Forget a user."""
        return await written(gorse, 1, await profiles.forget(user))

    path = "/api/user/{user:id}"
    return [
        answering("/api/user", put, shapes.Success, "write", 429, methods=["POST"]),
        answering("/api/users", put_many, shapes.Success, "write", 429, methods=["POST"]),
        answering("/api/users", get_many, dict[str, Any], "admin", 501),
        answering(path, get, dict[str, Any], "admin", 404),
        answering(path, patch, shapes.Success, "write", 429, methods=["PATCH"]),
        answering(path, forget, shapes.Success, "admin", 429, methods=["DELETE"]),
    ]
