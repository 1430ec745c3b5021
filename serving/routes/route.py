"""How a route is declared: its answer, its errors, and who may use it, in one place."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from typing import Any
from urllib.parse import quote

import orjson
from fastapi import Response
from fastapi.routing import APIRoute
from starlette.routing import Match
from starlette.types import Receive, Scope, Send

from serving.edge import problems
from serving.edge.access import Role
from serving.edge.edge import admit

Shortcut = Callable[[Scope, Receive, Send], Awaitable[bool]]
"""Answers a request, or returns that it cannot."""


class Route(APIRoute):
    """A route that knows who may use it, and may have shorter ways than FastAPI's, which finds out at every request
    what the endpoint takes: half a millisecond.

    Attributes
    ----------
    role : Role
    shortcuts : sequence of Shortcut
        For GET, tried in this order. What none of them answers goes FastAPI's way, errors in the request too.
    """

    role: Role = "admin"
    shortcuts: Sequence[Shortcut] = ()

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Match the path as it was sent, before it is decoded: a slash within an id parts nothing."""
        raw = scope.get("raw_path")
        path = raw.decode("latin-1") if raw is not None else quote(scope["path"])
        return super().matches({**scope, "path": path})

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, if its caller may ask it."""
        if self.role != "open":
            admit(scope, self.role)
        if scope["method"] == "GET":
            for shortcut in self.shortcuts:
                if await shortcut(scope, receive, send):
                    return
        await super().handle(scope, receive, send)


def route(
    path: str,
    endpoint: Any,
    answer: Any,
    *errors: int,
    role: Role,
    example: Any = None,
    methods: Sequence[str] = ("GET",),
    responses: dict[int | str, dict[str, Any]] | None = None,
    **more: Any,
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
        The statuses of its own errors; those that any request may meet are added.
    role : Role
        Who may use it.
    example : object
        An answer, for the documentation.
    methods : sequence of str
    responses : dict, optional
        What else OpenAPI should say of statuses.
    **more
        Further arguments of FastAPI's ``APIRoute``.
    """
    always = {401, 414, 429} if role == "open" else {401, 403, 414, 429}
    if not {"GET", "HEAD"}.issuperset(methods):
        always |= {400, 413}
    documented = problems.documented(*sorted({*errors, *always})) | (responses or {})
    status = more.get("status_code", 200)
    if example is not None:
        documented[status] = {**documented.get(status, {}), "content": {"application/json": {"example": example}}}
    made = Route(path, endpoint, response_model=answer, responses=documented, methods=list(methods), **more)
    made.role = role
    return made


def answered(answer: Any, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """Return an answer; it is already of the documented type, so it need not pass FastAPI's validation again."""
    return Response(orjson.dumps(answer), status, headers, "application/json")
