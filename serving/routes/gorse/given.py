"""What the routes of this interface are given, and what they have in common."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from fastapi import Response
from starlette.routing import BaseRoute

from contracts.tokens import Place
from serving.edge.access import Role
from serving.gorse import shapes
from serving.lists.recommend import FALLBACKS
from serving.reading.live import History
from serving.reading.reader import Reader, StoreUnavailable
from serving.reading.waiting import Waiting
from serving.routes.route import answered, route
from serving.search.lexicon import Lexicon
from serving.writing import bodies
from serving.writing.catalogue import Catalogue
from serving.writing.people import Naming, as_given
from serving.writing.profiles import Profiles
from serving.writing.publisher import Publisher

_WAIT_S = 1.0


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


async def sent(gorse: Gorse, feedback: Sequence[shapes.Feedback]) -> list[Place]:
    """Publish feedback as events; return where they stand."""
    bounded(gorse, feedback)
    present = now()
    events = [shapes.event_of(each, gorse.types, present) for each in feedback]
    for event in events:
        event.user = gorse.naming(event.user)
    return await gorse.publisher.publish(events) if events else []


async def written(gorse: Gorse, number: int, places: Sequence[Place]) -> Response:
    """Answer how much was written, once readers see it."""
    await seen(gorse, places)
    return answered({"RowAffected": number})


async def seen(gorse: Gorse, places: Sequence[Place]) -> None:
    """Wait, a moment at most, until readers see what stands at these places."""
    with suppress(StoreUnavailable):  # it is written all the same
        await gorse.waiting.until(sorted(places), _WAIT_S)


def bounded(gorse: Gorse, given: Sequence[Any]) -> None:
    """Refuse what is too much for one request.

    Raises
    ------
    InvalidBody
    """
    if len(given) > gorse.at_once:
        said = f"more than {gorse.at_once:,} in one request; send them in several, or raise serving.events_at_once"
        raise bodies.InvalidBody(said)


def both(path: str, endpoint: Any, answer: Any, role: Role, *errors: int, **more: Any) -> list[BaseRoute]:
    """Return a route with and without a category at its end, which may be empty."""
    ends = {path: True, f"{path}/{{category:id}}": False}
    return [answering(end, endpoint, answer, role, *errors, include_in_schema=s, **more) for end, s in ends.items()]


def slashed(path: str, endpoint: Any, answer: Any, role: Role, *errors: int, **more: Any) -> list[BaseRoute]:
    """Return a route with and without a slash at its end."""
    shown = more.pop("include_in_schema", True)
    ends = {path: shown, f"{path}/": False}
    return [answering(end, endpoint, answer, role, *errors, include_in_schema=s, **more) for end, s in ends.items()]


def answering(path: str, endpoint: Any, answer: Any, role: Role, *errors: int, **more: Any) -> BaseRoute:
    """Return a route that answers as Gorse does."""
    return route(path, endpoint, answer, 422, 503, *errors, role=role, **more)


def now() -> int:
    """Return the present time, ms since the epoch."""
    return time.time_ns() // 1_000_000
