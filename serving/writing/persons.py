"""What the service needs to know of people that does not stand in Redis in words; whoever builds it hands it over."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Protocol


class Unanswered(Exception):
    """What is kept of a person cannot be said now; the text says why."""


class People(Protocol):
    """Tells what is kept of a person. Both calls may take seconds."""

    async def attributes(self, user: str) -> dict[str, Any]:
        """Return what he was last described as; empty where he was not, or was forgotten since.

        Raises
        ------
        Unanswered
        """
        ...

    async def described(self, users: Collection[str]) -> dict[str, dict[str, Any]]:
        """Return what those of several users were last described as who were.

        Raises
        ------
        Unanswered
        """
        ...

    async def export(self, user: str) -> dict[str, Any]:
        """Return all that is kept of him, as ``headrace export`` does.

        Raises
        ------
        Unanswered
        """
        ...


class Nobody:
    """Stands where nothing can be said of anybody.

    Parameters
    ----------
    reason : str
        Why, and what to do about it.
    """

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def attributes(self, user: str) -> dict[str, Any]:
        """Refuse; see :class:`People`."""
        raise Unanswered(self._reason)

    async def described(self, users: Collection[str]) -> dict[str, dict[str, Any]]:
        """Refuse; see :class:`People`."""
        raise Unanswered(self._reason)

    async def export(self, user: str) -> dict[str, Any]:
        """Refuse; see :class:`People`."""
        raise Unanswered(self._reason)
