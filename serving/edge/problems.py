"""What a caller is told when there is no answer: one shape for every error."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from contracts.events import InvalidEvent
from contracts.tokens import InvalidToken
from serving.reading.reader import StoreUnavailable, UnknownNamespace
from serving.reading.streams import TooManyStreams
from serving.writing.bodies import InvalidBody
from serving.writing.catalogue import UnknownItem
from serving.writing.persons import Unanswered
from serving.writing.publisher import Overloaded, Unpublished


@dataclass(frozen=True, slots=True)
class Error:
    """Why there is no answer."""

    code: str  # stable, for programs: one of CODES' names
    message: str  # for people; may change
    request: str  # the request's id, also in `X-Request-Id` and in the log


@dataclass(frozen=True, slots=True)
class Problem:
    """The body of every answer whose status is not 200."""

    error: Error


REQUEST: ContextVar[str] = ContextVar("request", default="")
"""The id of the request that is being answered."""
CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "too_large",
    414: "too_long",
    415: "unsupported_media_type",
    422: "invalid_request",
    429: "too_many_requests",
    500: "internal",
    501: "not_implemented",
    503: "unavailable",
}


def problem(status: int, message: str, headers: dict[str, str] | None = None) -> Response:
    """Return an error answer; its code follows from the status."""
    body = Problem(Error(CODES.get(status, "refused"), message, REQUEST.get()))
    return Response(orjson.dumps(body), status, headers, "application/json")


def documented(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what OpenAPI should say of these statuses."""
    return {status: {"model": Problem, "description": CODES[status]} for status in statuses}


def install(app: FastAPI) -> None:
    """Make the application answer every error in the one shape."""

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        said = "; ".join(f"{'.'.join(map(str, e['loc'][1:]))}: {e['msg']}" for e in error.errors())
        return problem(422, said)

    @app.exception_handler(UnknownNamespace)
    async def unknown(_: Request, error: UnknownNamespace) -> Response:
        return problem(404, str(error))

    @app.exception_handler(UnknownItem)
    async def no_item(_: Request, error: UnknownItem) -> Response:
        return problem(404, str(error))

    @app.exception_handler(StoreUnavailable)
    async def unavailable(_: Request, error: StoreUnavailable) -> Response:
        return problem(503, str(error), {"Retry-After": "1"})

    @app.exception_handler(InvalidBody)
    @app.exception_handler(InvalidEvent)
    @app.exception_handler(InvalidToken)
    async def unusable(_: Request, error: ValueError) -> Response:
        return problem(422, str(error))

    @app.exception_handler(Unpublished)
    async def unpublished(_: Request, error: Unpublished) -> Response:
        status = 429 if isinstance(error, Overloaded) else 503
        return problem(status, str(error), {"Retry-After": str(error.after_s)})

    @app.exception_handler(TooManyStreams)
    async def full(_: Request, error: TooManyStreams) -> Response:
        return problem(429, str(error), {"Retry-After": "5"})

    @app.exception_handler(Unanswered)
    async def unanswered(_: Request, error: Unanswered) -> Response:
        return problem(503, str(error), {"Retry-After": "10"})

    @app.exception_handler(HTTPException)
    async def refused(_: Request, error: HTTPException) -> Response:
        return problem(error.status_code, error.detail, dict(error.headers or {}))
