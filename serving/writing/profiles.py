"""Writing what is known of users, and that they are forgotten."""

from __future__ import annotations

import time
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from contracts.events import UNDO, Click, User
from contracts.tokens import Place
from serving.writing import bodies
from serving.writing.locks import Locks
from serving.writing.people import Naming, as_given
from serving.writing.persons import People
from serving.writing.publisher import Publisher


class Profiles:
    """Writes users' records, those of one user one after the other. Users are named as callers know them.

    Parameters
    ----------
    publisher : Publisher
        Where records and wishes go.
    people : People
        Tells what is kept of a person.
    naming : Naming
        How users are called in the store.
    """

    def __init__(self, publisher: Publisher, people: People, naming: Naming = as_given) -> None:
        self._publisher, self._people, self._naming = publisher, people, naming
        self._locks = Locks()

    async def put(self, user: str, fields: Mapping[str, Any]) -> list[Place]:
        """Describe a user, in place of all that was said of him before.

        Raises
        ------
        InvalidEvent, Unpublished
        """
        record = self._record(user, fields)
        async with self._locks.of(user):
            return await self._publisher.publish([record])

    async def put_many(self, described: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Place]:
        """Do the same for several users: for all, or for none where one cannot be.

        Raises
        ------
        InvalidEvent, Unpublished
        """
        return await self._publisher.publish([self._record(user, fields) for user, fields in described])

    async def patch(self, user: str, change: Mapping[str, Any]) -> list[Place]:
        """Change some of what was said of a user (JSON Merge Patch).

        Raises
        ------
        InvalidEvent, Unanswered, Unpublished
        """
        async with self._locks.of(user):
            before = {"attributes": await self.attributes(user)}
            return await self._publisher.publish([self._record(user, bodies.merged(before, change))])

    async def forget(self, user: str) -> list[Place]:
        """Forget a person.

        Raises
        ------
        Unpublished
        """
        return await self.put(user, {"forget": True})

    async def undo(self, user: str, item: str) -> list[Place]:
        """Take back all that a user did with an item.

        Raises
        ------
        InvalidEvent, Unpublished
        """
        click = bodies.one(Click, {"item": item, "type": UNDO}, "user", user, _now())
        click.user = self._naming(click.user)
        return await self._publisher.publish([click])

    async def attributes(self, user: str) -> dict[str, Any]:
        """Return what he was last described as.

        Raises
        ------
        Unanswered
        """
        return await self._people.attributes(self._naming(user))

    async def described(self, users: Collection[str]) -> dict[str, dict[str, Any]]:
        """Return what those of several users were described as who were.

        Raises
        ------
        Unanswered
        """
        names = {self._naming(user): user for user in users}
        found = await self._people.described(names)
        return {names[name]: attributes for name, attributes in found.items()}

    async def export(self, user: str) -> dict[str, Any]:
        """Return all that is kept of him.

        Raises
        ------
        Unanswered
        """
        return {**await self._people.export(self._naming(user)), "user": user}

    def _record(self, user: str, fields: Mapping[str, Any]) -> User:
        record = bodies.one(User, fields, "user", user, _now())
        record.user = self._naming(record.user)
        return record


def _now() -> int:
    return time.time_ns() // 1_000_000
