"""Lists: a user's own, an item's neighbours, and what everyone is shown."""

from __future__ import annotations

from fastapi import Query, Response
from starlette.routing import BaseRoute

from contracts.tokens import MAX_LENGTH, decode_token
from serving import answers
from serving.reader import Reader
from serving.recommend import Answer, Wishes
from serving.routes.parameters import DEFAULT_N, Identifier, ids
from serving.routes.route import answered, route
from serving.waiting import Waiting

CATEGORIES = Query([], description="Only items of one of these; repeat it, or separate names by commas.")
PER_CATEGORY = Query(0, ge=0, description="At most so many items of one category, an item's first; 0 = any number.")
PER_BRAND = Query(0, ge=0, description="At most so many items of one brand; 0 = any number.")
OF_CATEGORY = Query(None, description="Of this category only; none where it has no list of its own.")
EXCLUDED = Query([], description="Items to leave out; repeat it, or separate ids by commas.")


AFTER = Query(None, max_length=MAX_LENGTH, description="A token of what was published: wait until the list shows it.")
WAIT = Query(1000, ge=0, le=10_000, description="Milliseconds that `after` may wait; then the list comes as it is.")
FRESH = "Headrace-Fresh"
"""Header of an answer to ``after``: whether the list shows what the token stands for."""


def routes(reader: Reader, list_length: int, waiting: Waiting) -> list[BaseRoute]:
    """Return the routes.

    Parameters
    ----------
    reader : Reader
        Where lists come from.
    list_length : int
        The largest ``n`` that may be asked for.
    waiting : Waiting
        Tells when a list shows what was published.
    """
    count = Query(min(DEFAULT_N, list_length), ge=1, le=list_length, description="At most so many items.")

    async def recommend(
        user: Identifier,
        exclude: list[str] = EXCLUDED,
        category: list[str] = CATEGORIES,
        per_category: int = PER_CATEGORY,
        per_brand: int = PER_BRAND,
        n: int = count,
        after: str | None = AFTER,
        wait: int = WAIT,
    ) -> Response:
        """Recommend items to a user: his own list, or what is popular while he has none."""
        fresh = await waiting.until(decode_token(after), wait / 1000) if after is not None else None
        wishes = Wishes(frozenset(ids(category)), per_category, per_brand)
        headers = {} if fresh is None else {FRESH: str(fresh).lower()}
        return answered(await answers.for_user(reader, user, n, ids(exclude), wishes), headers=headers)

    async def similar(item: Identifier, exclude: list[str] = EXCLUDED, n: int = count) -> Response:
        """List an item's neighbours; none while nothing is known of it."""
        return answered(await answers.similar(reader, item, n, ids(exclude)))

    async def popular(exclude: list[str] = EXCLUDED, category: str | None = OF_CATEGORY, n: int = count) -> Response:
        """List what is popular, of all items or of a category."""
        return answered(await answers.popular(reader, n, ids(exclude), category or None))

    return [
        route("/recommend/{user:id}", recommend, Answer, 422, 503, role="read"),
        route("/similar/{item:id}", similar, answers.Listing, 422, 503, role="read"),
        route("/popular", popular, answers.Listing, 422, 503, role="read"),
    ]
