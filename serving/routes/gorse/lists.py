"""Lists: a user's own, a guest's, an item's neighbours, and what everyone is shown."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from fastapi import Header, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute

from serving.answers import answers
from serving.edge.edge import admit
from serving.gorse import shapes
from serving.lists.recommend import Recommendation, Wishes
from serving.routes.asking import MAX_RECENT
from serving.routes.gorse.given import Gorse, answering, both, now, seen, sent
from serving.routes.parameters import DEFAULT_N, MAX_N, Identifier
from serving.routes.route import answered

_ZERO = re.compile(r"(?:0[a-z]*)*")
_EVERYONES = ("popular", "trending", "latest")


class Page(BaseModel):
    """Which part of a list."""

    n: int = Field(DEFAULT_N, ge=1, le=MAX_N)
    offset: int = Field(0, ge=0, le=MAX_N)

    def wishes(self, *categories: str) -> Wishes:
        """Return what is wished of a list."""
        wanted = frozenset(categories) - {""}
        return Wishes(self.n, self.offset, categories=wanted, all_categories=len(wanted) > 1)


class Everyones(Page):
    """Which part of everyone's list."""

    user: str | None = Field(None, alias="user-id", description="Not possible.")


class Own(Page):
    """Which part of a user's list."""

    category: list[str] = Field([], max_length=100)
    back: str | None = Field(None, alias="write-back-type", description="Publish this of every item of the answer.")
    delay: str = Field("", alias="write-back-delay", description="Not possible but for 0: events count at once.")


def lists(gorse: Gorse) -> list[BaseRoute]:
    """Return the routes of lists."""
    reader = gorse.reader

    async def recommend(
        request: Request,
        user: Identifier,
        wanted: Annotated[Own, Query()],
        version: Annotated[str | None, Header(alias="X-API-Version")] = None,
    ) -> Response:
        """Recommend items to a user: ids, or with `X-API-Version: 2` ids and scores."""
        if wanted.back is not None:
            admit(request.scope, "write")
            if not _ZERO.fullmatch(wanted.delay):
                raise HTTPException(422, "write-back-delay is not possible: events count at once; send feedback later")
        category = request.path_params.get("category", "")
        wishes = wanted.wishes(category, *wanted.category)
        answer = await answers.for_user(reader, gorse.naming(user), wishes, None, gorse.fallbacks)
        if wanted.back is not None and answer.items:
            feedback = {"FeedbackType": wanted.back, "UserId": user}
            shown = [shapes.Feedback.model_validate(feedback | {"ItemId": entry.item}) for entry in answer.items]
            await seen(gorse, await sent(gorse, shown))
        return _scored(answer.items) if version == "2" else answered([entry.item for entry in answer.items])

    async def session(request: Request, feedback: list[shapes.Done], wanted: Annotated[Page, Query()]) -> Response:
        """Recommend items to a guest by what he did lately."""
        done = sorted(feedback, key=lambda each: shapes.milliseconds(each.Timestamp) if each.Timestamp else now())
        recent = [each.ItemId for each in done][-MAX_RECENT:]
        wishes = wanted.wishes(request.path_params.get("category", ""))
        return _scored((await answers.for_guest(reader, recent, wishes, None, gorse.fallbacks)).items)

    async def neighbours(request: Request, item: Identifier, wanted: Annotated[Page, Query()]) -> Response:
        """List an item's neighbours."""
        wishes = wanted.wishes(request.path_params.get("category", ""))
        return _scored((await answers.similar(reader, item, wishes)).items)

    async def popular(request: Request, wanted: Annotated[Everyones, Query()]) -> Response:
        """List what most people choose."""
        return await of_everyone("popular", request.path_params.get("category", ""), wanted)

    async def latest(request: Request, wanted: Annotated[Everyones, Query()]) -> Response:
        """List what is new."""
        return await of_everyone("latest", request.path_params.get("category", ""), wanted)

    async def named(
        name: Identifier, wanted: Annotated[Everyones, Query()], category: Annotated[str, Query()] = ""
    ) -> Response:
        """List what everyone is shown: `popular`, `trending` or `latest`."""
        if name not in _EVERYONES:
            raise HTTPException(404, f"there is no list {name[:80]!r}; there are {', '.join(_EVERYONES)}")
        return await of_everyone(name, category, wanted)

    async def of_everyone(name: str, category: str, wanted: Everyones) -> Response:
        if wanted.user is not None:
            raise HTTPException(422, "what a user has had is left out of his own list only: GET /api/recommend/{user}")
        return _scored((await answers.of_everyone(reader, name, wanted.wishes(), category or None)).items)

    scores = list[shapes.Score]
    return [
        *both("/api/recommend/{user:id}", recommend, list[str] | list[shapes.Score], "read", 429),
        *both("/api/session/recommend", session, scores, "read", methods=["POST"]),
        *both("/api/item/{item:id}/neighbors", neighbours, scores, "read"),
        *both("/api/popular", popular, scores, "read"),
        *both("/api/latest", latest, scores, "read"),
        answering("/api/non-personalized/{name:id}", named, scores, "read", 404),
    ]


def _scored(entries: Sequence[Recommendation]) -> Response:
    return answered([shapes.score_of(entry) for entry in entries])
