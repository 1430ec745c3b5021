"""The REST interface that Gorse's clients speak, over the very functions that our own routes use."""

from __future__ import annotations

from starlette.routing import BaseRoute

from serving.routes.gorse.feedback import feedback
from serving.routes.gorse.given import Gorse
from serving.routes.gorse.lists import lists
from serving.routes.gorse.others import others
from serving.routes.gorse.records import items, users

__all__ = ["Gorse", "routes"]


def routes(gorse: Gorse) -> list[BaseRoute]:
    """Return the routes."""
    return [*lists(gorse), *items(gorse), *users(gorse), *feedback(gorse), *others(gorse)]
