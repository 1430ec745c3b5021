"""Writing items one by one: records in the catalogue, changed in part or whole, and deleted."""

from __future__ import annotations

from typing import Any

from fastapi import Request, Response
from starlette.routing import BaseRoute

from contracts.events import Item
from serving.routes.events import accepted, body, form, posting, published
from serving.routes.parameters import Identifier
from serving.routes.route import answered, route
from serving.writing import bodies
from serving.writing.catalogue import Catalogue

_EXAMPLE = {"item": "6", "title": "Heat (1995)", "categories": ["Action", "Crime", "Thriller"]}


def routes(catalogue: Catalogue, at_once: int) -> list[BaseRoute]:
    """Return the routes.

    Parameters
    ----------
    catalogue : Catalogue
        Where records are read and written.
    at_once : int
        Items of one request, at most.
    """

    async def items(request: Request) -> Response:
        """Publish item records, in the form of `POST /events`; each replaces what was known of its item whole."""
        return await published(catalogue, request, (Item,), at_once)

    async def get(item: Identifier) -> Response:
        """Return the record of an item, as the workers have seen it last."""
        return answered(await catalogue.get(item))

    async def put(item: Identifier, request: Request) -> Response:
        """Replace the record of an item, or make it known."""
        return accepted(*await catalogue.put(item, bodies.fields(await request.body())))

    async def patch(item: Identifier, request: Request) -> Response:
        """Change some fields of an item's record; a field that is null is removed (JSON Merge Patch)."""
        return accepted(*await catalogue.patch(item, bodies.fields(await request.body())))

    async def delete(item: Identifier) -> Response:
        """Delete an item: it leaves all lists, now and in every replay."""
        return accepted(*await catalogue.delete(item))

    path, record_form = "/items/{item:id}", form("items", "item", "deleted")
    return [
        route(path, get, dict[str, Any], 404, 422, 503, role="read", example=_EXAMPLE),
        posting("/items", items, "POST", body("items"), 415),
        posting(path, put, "PUT", record_form),
        posting(path, patch, "PATCH", record_form, 404),
        posting(path, delete, "DELETE"),
    ]
