"""Writing items one by one: records in the catalogue, changed in part or whole, and deleted."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import orjson
from fastapi import Request, Response
from starlette.routing import BaseRoute

from contracts.events import Item, encode
from contracts.tokens import Place
from serving import bodies, problems
from serving.keyed import Keyed
from serving.publisher import Publisher
from serving.reader import Reader
from serving.routes.events import accepted, form, posting
from serving.routes.parameters import Identifier
from serving.routes.route import answered, route
from serving.waiting import Waiting

_UNKNOWN = "item {!r} is not in the catalogue"


def routes(reader: Reader, publisher: Publisher, waiting: Waiting) -> list[BaseRoute]:
    """Return the routes.

    Parameters
    ----------
    reader : Reader
        Tells what is known of an item.
    publisher : Publisher
        Where records go.
    waiting : Waiting
        Tells whether what is known is at least what was written here last.
    """
    written: Keyed[tuple[Place, Item]] = Keyed()

    async def write(item: Item) -> Response:
        (place,) = await publisher.publish([item])
        written.note(item.item, (place, item))
        return accepted(place)

    async def known(item: str) -> dict[str, Any] | None:
        own = written.of(item)
        if own is None or await waiting.passed([own[0]]):
            return await reader.record(item)
        return None if own[1].deleted else orjson.loads(encode(own[1]))

    async def get(item: Identifier) -> Response:
        """Return the record of an item, as it was published last."""
        record = await reader.record(item)
        return answered(record) if record else problems.problem(404, _UNKNOWN.format(item[:80]))

    async def put(item: Identifier, request: Request) -> Response:
        """Replace the record of an item, or make it known."""
        record = _record(item, bodies.fields(await request.body()))
        async with written.lock(item):
            return await write(record)

    async def patch(item: Identifier, request: Request) -> Response:
        """Change some fields of an item's record; a field that is null is removed (JSON Merge Patch)."""
        change = bodies.fields(await request.body())
        async with written.lock(item):
            record = await known(item)
            if record is None:
                return problems.problem(404, f"{_UNKNOWN.format(item[:80])}; PUT makes it known")
            return await write(_record(item, bodies.merged(record, change)))

    async def delete(item: Identifier) -> Response:
        """Delete an item: it leaves all lists, now and in every replay."""
        record = _record(item, {"deleted": True})
        async with written.lock(item):
            return await write(record)

    path, record_form = "/items/{item:id}", form("items", "item", "deleted")
    return [
        route(path, get, dict[str, Any], 404, 422, 503, role="read"),
        posting(path, put, "PUT", record_form),
        posting(path, patch, "PATCH", record_form, 404),
        posting(path, delete, "DELETE"),
    ]


def _record(item: str, fields: Mapping[str, Any]) -> Item:
    return bodies.one(Item, fields, "item", item, time.time_ns() // 1_000_000)
