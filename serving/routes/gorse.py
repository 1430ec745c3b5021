"""The REST interface that Gorse's clients speak, over the very functions that our own routes use."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import Header, Query, Request, Response
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute

from contracts.tokens import Place
from serving import answers, bodies, live
from serving.access import Role
from serving.catalogue import Catalogue, made
from serving.edge import admit
from serving.gorse import shapes
from serving.lexicon import Lexicon
from serving.live import History
from serving.people import Naming, as_given
from serving.profiles import Profiles
from serving.publisher import Publisher
from serving.reader import Reader, StoreUnavailable
from serving.recommend import FALLBACKS, Recommendation, Wishes
from serving.routes.asking import MAX_RECENT
from serving.routes.parameters import DEFAULT_N, MAX_N, Identifier
from serving.routes.route import answered, route
from serving.search import MAX_TEXT, search
from serving.waiting import Waiting

_WAIT_S = 1.0
_ZERO = re.compile(r"(?:0[a-z]*)*")
_EVERYONES = ("popular", "trending", "latest")
# What cannot be done with what we keep: methods, path, why.
_REFUSED = (
    ("GET", "/api/feedback", "feedback of everybody is not kept to be read; Kafka's topics hold it"),
    ("GET", "/api/feedback/{type:id}", "feedback of everybody is not kept to be read; Kafka's topics hold it"),
    ("GET", "/api/item/{item:id}/feedback", "feedback is kept by user: GET /api/user/{user}/feedback"),
    ("GET", "/api/item/{item:id}/feedback/{type:id}", "feedback is kept by user: GET /api/user/{user}/feedback"),
    ("DELETE", "/api/feedback/{type:id}/{user:id}/{item:id}", "all that a user did with an item is taken back together:"
     " DELETE /api/feedback/{user}/{item}"),
    ("GET", "/api/user/{user:id}/neighbors", "there are no neighbours of users"),
    ("GET", "/api/measurements/{name:id}", "what is measured stands in the workers' status: `headrace status`"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Gorse:
    """What the routes are given.

    Attributes
    ----------
    reader : Reader
    waiting : Waiting
        Tells when what was written can be read: these callers expect it of the answer.
    publisher : Publisher
    catalogue : Catalogue
    profiles : Profiles
    lexicon : Lexicon
    history : History
        Reads what a user's stored state remembers.
    fallbacks : sequence of str
        What is shown to a user who has no list, in this order.
    naming : Naming
    types : mapping of str to str
        Type of feedback → type of event, for names that are not ours.
    at_once : int
        Feedback, items or users of one request, at most.
    """

    reader: Reader
    waiting: Waiting
    publisher: Publisher
    catalogue: Catalogue
    profiles: Profiles
    lexicon: Lexicon
    history: History
    fallbacks: Sequence[str] = FALLBACKS
    naming: Naming = as_given
    types: Mapping[str, str] = field(default_factory=dict)
    at_once: int = 1000


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


class Walk(BaseModel):
    """Which part of everything."""

    n: int = Field(DEFAULT_N, ge=1, le=MAX_N)
    cursor: str = Field("", pattern="^[0-9]{0,19}$", description="From the page before; empty = from the beginning.")


class Searched(Walk):
    """Which part of everything, or what fits."""

    q: str = Field("", max_length=MAX_TEXT, description="Free words: what fits them, best first, without a cursor.")


def routes(gorse: Gorse) -> list[BaseRoute]:
    """Return the routes."""
    return [*_lists(gorse), *_items(gorse), *_users(gorse), *_feedback(gorse), *_others(gorse)]


def _lists(gorse: Gorse) -> list[BaseRoute]:
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
            await _seen(gorse, await _sent(gorse, shown))
        return _scored(answer.items) if version == "2" else answered([entry.item for entry in answer.items])

    async def session(request: Request, feedback: list[shapes.Done], wanted: Annotated[Page, Query()]) -> Response:
        """Recommend items to a guest by what he did lately."""
        done = sorted(feedback, key=lambda each: shapes.milliseconds(each.Timestamp) if each.Timestamp else _now())
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
        *_both("/api/recommend/{user:id}", recommend, list[str] | list[shapes.Score], "read", 429),
        *_both("/api/session/recommend", session, scores, "read", methods=["POST"]),
        *_both("/api/item/{item:id}/neighbors", neighbours, scores, "read"),
        *_both("/api/popular", popular, scores, "read"),
        *_both("/api/latest", latest, scores, "read"),
        _route("/api/non-personalized/{name:id}", named, scores, "read", 404),
    ]


def _items(gorse: Gorse) -> list[BaseRoute]:
    catalogue, reader = gorse.catalogue, gorse.reader

    async def put(item: shapes.Item) -> Response:
        """Make an item known, or replace its record."""
        return await _written(gorse, 1, await catalogue.put(item.ItemId, shapes.fields_of(item)))

    async def put_many(items: list[shapes.Item]) -> Response:
        """Make items known, or replace their records."""
        _bounded(gorse, items)
        records = [made(item.ItemId, shapes.fields_of(item)) for item in items]
        return await _written(gorse, len(items), await catalogue.publish(records))

    async def patch(item: Identifier, change: shapes.ItemPatch) -> Response:
        """Change what is not null of an item's record."""
        return await _written(gorse, 1, await catalogue.patch(item, shapes.fields_of(change)))

    async def delete(item: Identifier) -> Response:
        """Delete an item."""
        return await _written(gorse, 1, await catalogue.delete(item))

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
        _route("/api/item", put, shapes.Success, "write", 429, methods=["POST"]),
        _route("/api/items", put_many, shapes.Success, "write", 429, methods=["POST"]),
        _route("/api/items", get_many, dict[str, Any], "read"),
        _route(path, get, dict[str, Any], "read", 404),
        _route(path, patch, shapes.Success, "write", 404, 429, methods=["PATCH"]),
        _route(path, delete, shapes.Success, "write", 429, methods=["DELETE"]),
    ]


def _users(gorse: Gorse) -> list[BaseRoute]:
    profiles, reader = gorse.profiles, gorse.reader

    async def put(user: shapes.User) -> Response:
        """Describe a user, in place of all that was said of him before."""
        return await _written(gorse, 1, await profiles.put(user.UserId, {"attributes": shapes.attributes_of(user)}))

    async def put_many(users: list[shapes.User]) -> Response:
        """Describe users."""
        _bounded(gorse, users)
        described = [(user.UserId, {"attributes": shapes.attributes_of(user)}) for user in users]
        return await _written(gorse, len(users), await profiles.put_many(described))

    async def patch(user: Identifier, change: shapes.UserPatch) -> Response:
        """Replace the labels of a user, where there are some in the request."""
        places = [] if change.Labels is None else await put_labels(user, change)
        return await _written(gorse, 1, places)

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
        return await _written(gorse, 1, await profiles.forget(user))

    path = "/api/user/{user:id}"
    return [
        _route("/api/user", put, shapes.Success, "write", 429, methods=["POST"]),
        _route("/api/users", put_many, shapes.Success, "write", 429, methods=["POST"]),
        _route("/api/users", get_many, dict[str, Any], "admin", 501),
        _route(path, get, dict[str, Any], "admin", 404),
        _route(path, patch, shapes.Success, "write", 429, methods=["PATCH"]),
        _route(path, forget, shapes.Success, "admin", 429, methods=["DELETE"]),
    ]


def _feedback(gorse: Gorse) -> list[BaseRoute]:
    async def put(feedback: list[shapes.Feedback]) -> Response:
        """Publish feedback: all of it, or none where one of it cannot be used."""
        return await _written(gorse, len(feedback), await _sent(gorse, feedback))

    async def undo(user: Identifier, item: Identifier) -> Response:
        """Take back all that a user did with an item."""
        return await _written(gorse, 1, await gorse.profiles.undo(user, item))

    async def of_user(user: Identifier) -> Response:
        """Return what a user did lately, oldest first."""
        return answered([shapes.feedback_of(user, event) for event in await history(user)])

    async def of_type(user: Identifier, type: Identifier) -> Response:
        """Return what a user did lately that is of a type, oldest first."""
        wanted = shapes.type_of(type, gorse.types)
        own = [event for event in await history(user) if event.type == wanted]
        return answered([shapes.feedback_of(user, event, type) for event in own])

    async def of_item(user: Identifier, item: Identifier) -> Response:
        """Return what a user did lately with an item, oldest first."""
        return answered([shapes.feedback_of(user, event) for event in await history(user) if event.item == item])

    async def history(user: str) -> list[live.Event]:
        found = await live.visitor(gorse.reader, gorse.naming(user), gorse.history, MAX_RECENT)
        return found.events[::-1]

    several, pair = list[shapes.Feedback], "/api/feedback/{user:id}/{item:id}"
    return [
        _route("/api/feedback", put, shapes.Success, "write", 429, methods=["POST"]),
        _route("/api/feedback", put, shapes.Success, "write", 429, methods=["PUT"]),
        _route(pair, undo, shapes.Success, "write", 429, methods=["DELETE"]),
        _route(pair, of_item, several, "admin"),
        *_slashed("/api/user/{user:id}/feedback", of_user, several, "admin"),
        _route("/api/user/{user:id}/feedback/{type:id}", of_type, several, "admin"),
    ]


def _others(gorse: Gorse) -> list[BaseRoute]:
    async def live() -> Response:
        """Say that the process is up."""
        return answered({"Ready": True})

    async def ready() -> Response:
        """Say that Redis answers."""
        await gorse.reader.statuses()
        return answered({"Ready": True})

    def refusing(reason: str) -> Any:
        async def refused() -> Response:
            """Refuse what cannot be done."""
            raise HTTPException(501, reason)

        return refused

    return [
        _route("/api/health/live", live, dict[str, bool], "open"),
        _route("/api/health/ready", ready, dict[str, bool], "open"),
        *(
            each
            for method, path, reason in _REFUSED
            for each in _slashed(path, refusing(reason), None, "read", 501, methods=[method], include_in_schema=False)
        ),
    ]


async def _sent(gorse: Gorse, feedback: Sequence[shapes.Feedback]) -> list[Place]:
    _bounded(gorse, feedback)
    now = _now()
    events = [shapes.event_of(each, gorse.types, now) for each in feedback]
    for event in events:
        event.user = gorse.naming(event.user)
    return await gorse.publisher.publish(events) if events else []


async def _written(gorse: Gorse, number: int, places: Sequence[Place]) -> Response:
    await _seen(gorse, places)
    return answered({"RowAffected": number})


async def _seen(gorse: Gorse, places: Sequence[Place]) -> None:
    with suppress(StoreUnavailable):  # it is written all the same
        await gorse.waiting.until(sorted(places), _WAIT_S)


def _bounded(gorse: Gorse, given: Sequence[Any]) -> None:
    if len(given) > gorse.at_once:
        said = f"more than {gorse.at_once:,} in one request; send them in several, or raise serving.events_at_once"
        raise bodies.InvalidBody(said)


def _scored(entries: Sequence[Recommendation]) -> Response:
    return answered([shapes.score_of(entry) for entry in entries])


def _both(path: str, endpoint: Any, answer: Any, role: Role, *errors: int, **more: Any) -> list[BaseRoute]:
    """Return a route with and without a category at its end, which may be empty."""
    ends = {path: True, f"{path}/{{category:id}}": False}
    return [_route(end, endpoint, answer, role, *errors, include_in_schema=s, **more) for end, s in ends.items()]


def _slashed(path: str, endpoint: Any, answer: Any, role: Role, *errors: int, **more: Any) -> list[BaseRoute]:
    """Return a route with and without a slash at its end."""
    shown = more.pop("include_in_schema", True)
    ends = {path: shown, f"{path}/": False}
    return [_route(end, endpoint, answer, role, *errors, include_in_schema=s, **more) for end, s in ends.items()]


def _route(path: str, endpoint: Any, answer: Any, role: Role, *errors: int, **more: Any) -> BaseRoute:
    return route(path, endpoint, answer, 422, 503, *errors, role=role, **more)


def _now() -> int:
    return time.time_ns() // 1_000_000
