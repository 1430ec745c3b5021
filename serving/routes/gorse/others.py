"""Whether the service stands; and what cannot be done, with the reason."""

from __future__ import annotations

from typing import Any

from fastapi import Response
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute

from serving.routes.gorse.given import Gorse, answering, slashed
from serving.routes.route import answered

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


def others(gorse: Gorse) -> list[BaseRoute]:
    """Return the other routes."""

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
        answering("/api/health/live", live, dict[str, bool], "open"),
        answering("/api/health/ready", ready, dict[str, bool], "open"),
        *(
            each
            for method, path, reason in _REFUSED
            for each in slashed(path, refusing(reason), None, "read", 501, methods=[method], include_in_schema=False)
        ),
    ]
