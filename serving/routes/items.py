"""Writing items one by one: records in the catalogue, changed in part or whole, and deleted."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from fastapi import Request, Response
from starlette.routing import BaseRoute

from contracts.events import Item
from serving import bodies, problems
from serving.locks import Locks
from serving.publisher import Noting, Publisher
from serving.reader import Reader
from serving.routes.events import accepted, body, form, posting, published
from serving.routes.parameters import Identifier
from serving.routes.route import answered, route
from serving.waiting import Waiting

_EXAMPLE = {"item": "6", "title": "Heat (1995)", "categories": ["Action", "Crime", "Thriller"]}
_WAIT_S = 1.0
_UNKNOWN = "item {!r} is not in the catalogue"


def routes(reader: Reader, publisher: Publisher, waiting: Waiting, at_once: int) -> list[BaseRoute]:
    """Return the routes.

    Parameters
    ----------
    reader : Reader
        Tells what is known of an item.
    publisher : Publisher
        Where records go.
    waiting : Waiting
        Tells when what is known is at least what was written here last.
    at_once : int
        Items of one request, at most.
    """
    locks, noting = Locks(), Noting(publisher)

    async def items(request: Request) -> Response:
        """Publish item records, in the form of `POST /events`; each replaces what was known of its item whole."""
        return await published(noting, request, (Item,), at_once)

    async def get(item: Identifier) -> Response:
        """Return the record of an item, as the workers have seen it last."""
        record = await reader.record(item)
        return answered(record) if record else problems.problem(404, _UNKNOWN.format(item[:80]))

    async def put(item: Identifier, request: Request) -> Response:
        """Replace the record of an item, or make it known."""
        record = _record(item, bodies.fields(await request.body()))
        async with locks.of(item):
            return accepted(*await noting.publish([record]))

    async def patch(item: Identifier, request: Request) -> Response:
        """Change some fields of an item's record; a field that is null is removed (JSON Merge Patch)."""
        change = bodies.fields(await request.body())
        async with locks.of(item):
            # What is merged with must hold what was written here before.
            if not await waiting.until(noting.last, _WAIT_S):
                said = "the last records of items are not applied yet; does a worker run?"
                return problems.problem(503, said, {"Retry-After": "1"})
            record = await reader.record(item)
            if record is None:
                return problems.problem(404, f"{_UNKNOWN.format(item[:80])}; PUT makes it known")
            return accepted(*await noting.publish([_record(item, bodies.merged(record, change))]))

    async def delete(item: Identifier) -> Response:
        """Delete an item: it leaves all lists, now and in every replay."""
        record = _record(item, {"deleted": True})
        async with locks.of(item):
            return accepted(*await noting.publish([record]))

    path, record_form = "/items/{item:id}", form("items", "item", "deleted")
    return [
        route(path, get, dict[str, Any], 404, 422, 503, role="read", example=_EXAMPLE),
        posting("/items", items, "POST", body("items"), 415),
        posting(path, put, "PUT", record_form),
        posting(path, patch, "PATCH", record_form, 404),
        posting(path, delete, "DELETE"),
    ]


def _record(item: str, fields: Mapping[str, Any]) -> Item:
    return bodies.one(Item, fields, "item", item, time.time_ns() // 1_000_000)
