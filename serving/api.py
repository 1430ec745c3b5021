"""The HTTP service: its routes as a list, and the application that is given what it needs."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Annotated, Any

import orjson
from fastapi import FastAPI, Path, Query, Response
from fastapi.routing import APIRoute
from starlette.convertors import PathConvertor, register_url_convertor
from starlette.routing import BaseRoute

from contracts.events import MAX_ID_BYTES
from serving import answers, problems
from serving.metrics import Measured, ServingMetrics
from serving.reader import Reader
from serving.readiness import not_ready
from serving.recommend import Answer, Wishes

DEFAULT_N = 10
Identifier = Annotated[str, Path(min_length=1, max_length=MAX_ID_BYTES)]
CATEGORIES = Query([], description="Only items of one of these; repeat it, or separate names by commas.")
PER_CATEGORY = Query(0, ge=0, description="At most so many items of one category, an item's first; 0 = any number.")
PER_BRAND = Query(0, ge=0, description="At most so many items of one brand; 0 = any number.")
OF_CATEGORY = Query(None, description="Of this category only; none where it has no list of its own.")
EXCLUDED = Query([], description="Items to leave out; repeat it, or separate ids by commas.")


class _AnyText(PathConvertor):
    """Ids may hold line breaks, where Starlette's own convertor ends."""

    regex = "(?s:.*)"


register_url_convertor("id", _AnyText())


@dataclass(frozen=True, slots=True)
class State:
    """That the service stands."""

    status: str


def create_app(reader: Reader, list_length: int) -> FastAPI:
    """Build the application.

    Parameters
    ----------
    reader : Reader
        Where lists come from; the application closes it when it stops.
    list_length : int
        The largest ``n`` that may be asked for.
    """

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with reader:
            yield

    metrics = ServingMetrics(reader)
    app = FastAPI(
        title="Headrace",
        routes=[*routes(reader, list_length), APIRoute("/metrics", metrics.answer, include_in_schema=False)],
        lifespan=lifespan,
        redirect_slashes=False,
    )
    app.add_middleware(Measured, metrics=metrics)
    problems.install(app)
    return app


def routes(reader: Reader, list_length: int) -> list[BaseRoute]:
    """Return the routes of the service."""
    count = Query(min(DEFAULT_N, list_length), ge=1, le=list_length, description="At most so many items.")

    async def recommend(
        user: Identifier,
        exclude: list[str] = EXCLUDED,
        category: list[str] = CATEGORIES,
        per_category: int = PER_CATEGORY,
        per_brand: int = PER_BRAND,
        n: int = count,
    ) -> Response:
        """Recommend items to a user: his own list, or what is popular while he has none."""
        wishes = Wishes(frozenset(_ids(category) - {""}), per_category, per_brand)
        return _json(await answers.for_user(reader, user, n, _ids(exclude), wishes))

    async def similar(item: Identifier, exclude: list[str] = EXCLUDED, n: int = count) -> Response:
        """List an item's neighbours; none while nothing is known of it."""
        return _json(await answers.similar(reader, item, n, _ids(exclude)))

    async def popular(exclude: list[str] = EXCLUDED, category: str | None = OF_CATEGORY, n: int = count) -> Response:
        """List what is popular, of all items or of a category."""
        return _json(await answers.popular(reader, n, _ids(exclude), category or None))

    async def health() -> Response:
        """Say that the process is up."""
        return _json(State("ok"))

    async def ready() -> Response:
        """Say that Redis answers and that a worker keeps the lists fresh."""
        reason = not_ready(await reader.statuses(), time.time_ns() // 1_000_000)
        return _json(State("ready")) if reason is None else problems.problem(503, reason)

    return [
        _route("/recommend/{user:id}", recommend, Answer, 422, 503),
        _route("/similar/{item:id}", similar, answers.Listing, 422, 503),
        _route("/popular", popular, answers.Listing, 422, 503),
        _route("/health", health, State),
        _route("/ready", ready, State, 503),
    ]


def _route(path: str, endpoint: Any, answer: type, *errors: int) -> APIRoute:
    return APIRoute(path, endpoint, response_model=answer, responses=problems.documented(*errors))


def _json(answer: Any) -> Response:
    # Already of the documented type, so it need not pass FastAPI's validation again.
    return Response(orjson.dumps(answer), media_type="application/json")


def _ids(values: Iterable[str]) -> set[str]:
    # An id may itself contain a comma, so the whole value counts as well as its parts.
    return {part for value in values for part in (value, *value.split(","))}
