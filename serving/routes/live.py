"""What the live page reads: how the workers do, a user's last events, an item and its neighbours."""

from __future__ import annotations

import time

from fastapi import Query, Response
from starlette.routing import BaseRoute

from serving.reading import live
from serving.reading.live import History
from serving.reading.reader import Reader
from serving.routes.parameters import Identifier
from serving.routes.route import answered, route
from serving.writing.people import Naming, as_given

SINCE = Query(0, ge=0, description="Only beats of the pulse after this time, ms since the epoch.")
SOME = Query(8, ge=1, le=100, description="At most so many users.")

_OVERVIEW = {
    "namespace": "main",
    "previous": None,
    "time": 1790000001234,
    "written": 1790000001100,
    "workers": [{"worker": "one", "ready": True, "partitions": "0-7", "lag": 0, "freshness_ms_p50": 16.4}],
    "items": 3706,
    "scorers": {"embeddings": {"hit_rate_at_10": 0.26, "alarms": 0, "weights": {"in session": 0.88, "newcomer": 0.71}}},
    "pulse": [
        {"time": 1790000001000, "seconds": 2.0, "events": 134, "lists": 386, "scored": 40, "hits": {"blend": 12}}
    ],
}
_VISITOR = {
    "user": "ann",
    "events": [{"item": "260", "title": "Star Wars IV", "type": "play", "time": 1790000000000, "rating": None}],
}
_PORTRAIT = {
    "item": "260",
    "known": True,
    "title": "Star Wars IV",
    "categories": ["Sci-Fi"],
    "withheld": False,
    "neighbours": [
        {"item": "1196", "title": "Star Wars V", "score": 0.98, "after": 19.9, "before": 12.1, "cosine": 0.91}
    ],
}


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
        route("/live", overview, live.Overview, 422, 503, role="read", example=_OVERVIEW),
        route("/live/users", users, list[str], 422, 503, role="read", example=["ann", "bob"]),
        route("/live/users/{user:id}", visitor, live.Visitor, 422, 503, role="read", example=_VISITOR),
        route("/live/items/{item:id}", portrait, live.Portrait, 422, 503, role="read", example=_PORTRAIT),
    ]
