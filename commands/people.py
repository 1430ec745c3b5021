"""What is kept of people, for the command and the service."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Collection
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from multiprocessing import get_context
from typing import Any, TypeVar

from infra.errors import HeadraceError
from infra.settings import Settings
from serving.writing.persons import Unanswered

T = TypeVar("T")
_LOOKED_UP_S = 5.0
_EXPORTED_S = 120.0


def exported(settings: Settings, user: str) -> dict[str, Any]:
    """Return all that every namespace keeps of a person; loads the item model, which names the items.

    Raises
    ------
    BrokerError
        When Kafka does not answer.
    """
    from infra.redis import connect
    from serving.store.holdings import Holdings
    from streams.forgetting.person import home_of, person_of

    holdings, home = Holdings(connect(settings.redis.url), settings.redis.prefix), home_of(settings, user)
    return person_of(settings, user, {name: holdings.of(name, home, user) for name in holdings.namespaces()})


def described(settings: Settings, user: str) -> dict[str, Any]:
    """Return the attributes of a person as they were sent.

    Raises
    ------
    BrokerError
        When Kafka does not answer.
    """
    from streams.forgetting.person import attributes_of, home_of

    return attributes_of(settings, user, home_of(settings, user))


def all_described(settings: Settings, users: Collection[str]) -> dict[str, dict[str, Any]]:
    """Return the attributes of several people as they were sent, of those who have some.

    Raises
    ------
    BrokerError
        When Kafka does not answer.
    """
    from streams.forgetting.person import attributes_of_many

    return attributes_of_many(settings, users)


class PeopleOf:
    """Tells what a deployment keeps of a person, one question after the other.

    It is :class:`serving.writing.persons.People`.

    What needs the item model runs in a process of its own that ends with its answer: the service holds no model.

    Parameters
    ----------
    settings : Settings
        With the addresses of the services.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._reading, self._exporting = asyncio.Semaphore(2), asyncio.Semaphore(1)

    async def attributes(self, user: str) -> dict[str, Any]:
        """Return what he was last described as."""
        async with self._reading:
            return await _answer(asyncio.to_thread(described, self._settings, user), _LOOKED_UP_S)

    async def described(self, users: Collection[str]) -> dict[str, dict[str, Any]]:
        """Return what those of several users were last described as who were."""
        async with self._reading:
            return await _answer(asyncio.to_thread(all_described, self._settings, users), _LOOKED_UP_S)

    async def export(self, user: str) -> dict[str, Any]:
        """Return all that is kept of him."""
        async with self._exporting:
            return await _answer(asyncio.to_thread(_apart, self._settings, user), _EXPORTED_S)


def _apart(settings: Settings, user: str) -> dict[str, Any]:
    """Return :func:`exported`, from a process of its own; blocks."""
    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        return pool.submit(exported, settings, user).result()


async def _answer(asked: Awaitable[T], seconds: float) -> T:
    try:
        return await asyncio.wait_for(asked, seconds)
    except TimeoutError as error:
        raise Unanswered(f"there was no answer within {seconds:.0f} s; does Kafka run?") from error
    except (HeadraceError, BrokenProcessPool) as error:
        raise Unanswered(str(error)) from error
