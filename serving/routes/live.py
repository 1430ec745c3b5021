"""What the live page reads: how the workers do, a user's last events, an item and its neighbours."""

from __future__ import annotations

import time

from fastapi import Query, Response
from starlette.routing import BaseRoute

from serving import live
from serving.live import History
from serving.people import Naming, as_given
from serving.reader import Reader
from serving.routes.parameters import Identifier
from serving.routes.route import answered, route

SINCE = Query(0, ge=0, description="Only beats of the pulse after this time, ms since the epoch.")
SOME = Query(8, ge=1, le=100, description="At most so many users.")


def routes(reader: Reader, history: History, naming: Naming = as_given) -> list[BaseRoute]:
    """Return the routes.

    Parameters
    ----------
    reader : Reader
    history : History
        Reads what a user's stored state remembers.
    naming : Naming
        How users are called in the store.
    """

    async def overview(since: int = SINCE) -> Response:
        """Say how the workers do, now and in the last ten minutes."""
        return answered(await live.overview(reader, time.time_ns() // 1_000_000, since))

    async def users(n: int = SOME) -> Response:
        """Name some users who have a list, none in particular; nobody where the store holds pseudonyms."""
        return answered(await live.some_users(reader, n) if naming is as_given else [])

    async def visitor(user: Identifier) -> Response:
        """List what a user did lately, newest first; up to a second old."""
        found = await live.visitor(reader, naming(user), history)
        return answered(live.Visitor(user, found.events))

    async def portrait(item: Identifier) -> Response:
        """Describe an item, and its neighbours with the evidence for each."""
        return answered(await live.portrait(reader, item))

    return [
        route("/live", overview, live.Overview, 422, 503, role="read"),
        route("/live/users", users, list[str], 422, 503, role="read"),
        route("/live/users/{user:id}", visitor, live.Visitor, 422, 503, role="read"),
        route("/live/items/{item:id}", portrait, live.Portrait, 422, 503, role="read"),
    ]
