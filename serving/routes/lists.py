"""Lists to read: a user's own, an item's neighbours, and what everyone is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from fastapi import Query, Response
from starlette.routing import BaseRoute

from contracts.tokens import decode_token
from serving.answers import answers, wire
from serving.lists.recommend import FALLBACKS
from serving.reading.reader import Reader
from serving.reading.waiting import Waiting
from serving.routes.caching import NOT_MODIFIED, cached
from serving.routes.direct import direct
from serving.routes.parameters import Everyones, Identifier, Own, Paged, Tag
from serving.routes.quick import Quick
from serving.routes.route import Shortcut, route
from serving.writing.people import Naming, as_given

FRESH = "Headrace-Fresh"
"""Header of an answer to ``after``."""


def routes(
    reader: Reader, waiting: Waiting, fallbacks: Sequence[str] = FALLBACKS, naming: Naming = as_given
) -> list[BaseRoute]:
    """Return the routes.

    Parameters
    ----------
    reader : Reader
        Where lists come from.
    waiting : Waiting
        Tells when lists show what was published.
    fallbacks : sequence of str
        What is shown to a user who has no list, in this order.
    naming : Naming
        How users are called in the store.
    """

    async def recommend(user: Identifier, wanted: Annotated[Own, Query()], tag: Tag = None) -> Response:
        """Recommend items to a user: his own list, or what everyone is shown while he has none.

        `stage` says which. A list of his own never holds what he has had, nor what is withheld, and it is not filled
        up where it runs short: what everyone is shown may hold what he has had. With `after` the header
        `Headrace-Fresh` says whether it shows what the token stands for, or the time was over before.
        """
        fresh = None if wanted.after is None else await waiting.until(decode_token(wanted.after), wanted.wait / 1000)
        answer = await answers.for_user(reader, naming(user), wanted.wishes(), wanted.namespace, fallbacks)
        entries = await wire.entries(reader, answer.namespace, answer.items, wanted.titles, wanted.explain)
        response = cached(wire.recommended(answer, entries), answer.version, answer.time, tag, private=True)
        if fresh is not None:
            response.headers[FRESH] = str(fresh).lower()
        return response

    async def similar(item: Identifier, wanted: Annotated[Paged, Query()], tag: Tag = None) -> Response:
        """List an item's neighbours; none while nothing is known of it."""
        return await _listed(await answers.similar(reader, item, wanted.wishes(), wanted.namespace), wanted, tag)

    async def popular(wanted: Annotated[Everyones, Query()], tag: Tag = None) -> Response:
        """List what most people choose, of all items or of a category."""
        return await of_everyone("popular", wanted, tag)

    async def trending(wanted: Annotated[Everyones, Query()], tag: Tag = None) -> Response:
        """List what more and more people choose just now, of all items or of a category."""
        return await of_everyone("trending", wanted, tag)

    async def latest(wanted: Annotated[Everyones, Query()], tag: Tag = None) -> Response:
        """List what is new in the catalogue, of all items or of a category."""
        return await of_everyone("latest", wanted, tag)

    async def of_everyone(name: str, wanted: Everyones, tag: str | None) -> Response:
        category = wanted.category or None
        listing = await answers.of_everyone(reader, name, wanted.wishes(), category, wanted.namespace)
        return await _listed(listing, wanted, tag)

    async def _listed(listing: answers.Listing, wanted: Paged, tag: str | None) -> Response:
        entries = await wire.entries(reader, listing.namespace, listing.items, wanted.titles)
        body = {"namespace": listing.namespace, "time": listing.time, "items": entries}
        return cached(body, None, listing.time, tag)

    def reading(path: str, endpoint: Any, answer: Any, model: type[Paged], *before: Shortcut) -> BaseRoute:
        example = wire.RECOMMENDED if answer is wire.Recommended else wire.LISTED
        made = route(path, endpoint, answer, 404, 422, 503, role="read", example=example, responses=NOT_MODIFIED)
        made.shortcuts = (*before, direct(endpoint, model))
        return made

    return [
        reading("/recommend/{user:id}", recommend, wire.Recommended, Own, Quick(reader, naming)),
        reading("/similar/{item:id}", similar, wire.Listed, Paged),
        reading("/popular", popular, wire.Listed, Everyones),
        reading("/trending", trending, wire.Listed, Everyones),
        reading("/latest", latest, wire.Listed, Everyones),
    ]
