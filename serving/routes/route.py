"""How a route is declared: its answer, its errors, and who may use it, in one place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal
from urllib.parse import quote

import orjson
from fastapi import Response
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from serving import problems

Role = Literal["open", "read", "write", "admin"]
"""What a caller must be allowed to do; ``open`` = nothing."""


class Route(APIRoute):
    """A route that knows who may use it, and may have a short way for its commonest request.

    Attributes
    ----------
    role : Role
    quick : async function of scope and send, or None
        Tried first; returns whether it has answered.
    """

    role: Role = "admin"
    quick: Callable[[Scope, Send], Awaitable[bool]] | None = None

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match the path as it was sent, before it is decoded: a slash within an id parts nothing."""
        raw = scope.get("raw_path")
        path = raw.decode("latin-1") if raw is not None else quote(scope["path"])
        return super().matches({**scope, "path": path})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if self.quick is not None and scope["method"] == "GET" and await self.quick(scope, send):
            return
        await super().handle(scope, receive, send)


def route(
    path: str, endpoint: Any, answer: Any, *errors: int, role: Role, methods: Sequence[str] = ("GET",), **more: Any
) -> Route:
    """Return a route.

    Parameters
    ----------
    path : str
        Ids in it are ``{name:id}``.
    endpoint : async function
        Its docstring and its parameters' descriptions become the documentation.
    answer : type
        What it answers with.
    *errors : int
        The statuses of its errors.
    role : Role
        Who may use it.
    methods : sequence of str
    **more
        Further arguments of FastAPI's ``APIRoute``.
    """
    responses = problems.documented(*errors) | more.pop("responses", {})
    made = Route(path, endpoint, response_model=answer, responses=responses, methods=list(methods), **more)
    made.role = role
    return made


def answered(answer: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return an answer; it is already of the documented type, so it need not pass FastAPI's validation again."""
    return Response(orjson.dumps(answer), status, headers, "application/json")
