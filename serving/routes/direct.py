"""Calls the endpoint of a reading route itself, where the request is as it should be."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import TypeVar
from urllib.parse import parse_qs

from fastapi import Response
from pydantic import ValidationError
from starlette.types import Receive, Scope, Send

from contracts.events import MAX_ID_BYTES
from serving.routes.parameters import Paged
from serving.routes.route import Shortcut

P = TypeVar("P", bound=Paged)


def direct(endpoint: Callable[..., Awaitable[Response]], model: type[P]) -> Shortcut:
    """Return the shortcut of a route.

    Parameters
    ----------
    endpoint : async function
        Takes the ids in the path, ``wanted`` and ``tag``.
    model : type
        Of ``wanted``: it validates here what it validates for FastAPI. A request that it refuses goes FastAPI's way,
        to be told why.
    """
    several = frozenset(name for name, field in model.model_fields.items() if field.annotation == list[str])

    async def shortcut(scope: Scope, receive: Receive, send: Send) -> bool:
        path = scope["path_params"]
        if not all(0 < len(identifier) <= MAX_ID_BYTES for identifier in path.values()):
            return False
        given = (
            parse_qs(scope["query_string"].decode("latin-1"), keep_blank_values=True) if scope["query_string"] else {}
        )
        try:
            # Of a parameter that is given twice and takes one value the last counts, as for FastAPI.
            wanted = model.model_validate({k: v if k in several else v[-1] for k, v in given.items()})
        except ValidationError:
            return False
        tag = next((value.decode("latin-1") for name, value in scope["headers"] if name == b"if-none-match"), None)
        response = await endpoint(**path, wanted=wanted, tag=tag)
        await response(scope, receive, send)
        return True

    return shortcut
