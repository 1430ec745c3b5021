"""What the service needs of Kafka; whoever builds the application hands it over."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from contracts.events import Event
from contracts.tokens import Place


class Unpublished(Exception):
    """Kafka has not acknowledged what was sent.

    Parameters
    ----------
    message : str
        Why, and what to do about it.
    after_s : int
        After how many seconds it may be tried again.
    """

    def __init__(self, message: str, after_s: int = 1) -> None:
        super().__init__(message)
        self.after_s = after_s


class Overloaded(Unpublished):
    """So much waits to be sent that nothing of this was."""


class Publisher(Protocol):
    """Sends events to Kafka, each to the topic of its type under its key."""

    async def publish(self, events: Sequence[Event]) -> list[Place]:
        """Send events in their order; return where each stands once Kafka has acknowledged all.

        Raises
        ------
        Overloaded
            When there is no room for them; nothing was sent.
        Unpublished
            When Kafka did not acknowledge all of them in time; some may stand there all the same.
        """
        ...

    async def close(self) -> None:
        """Send what still waits, and let go of Kafka."""
        ...


class Noting:
    """Notes what was published last through it, of each partition.

    Parameters
    ----------
    publisher : Publisher
        Publishes.
    """

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._last: dict[tuple[str, int], Place] = {}

    async def publish(self, events: Sequence[Event]) -> list[Place]:
        """Publish; see :class:`Publisher`."""
        places = await self._publisher.publish(events)
        for place in places:
            key = place.topic, place.partition
            self._last[key] = max(place, self._last.get(key, place))
        return places

    async def close(self) -> None:
        """Do nothing: whoever made the publisher closes it."""

    @property
    def last(self) -> list[Place]:
        """The last record of each partition."""
        return list(self._last.values())


class NoPublisher:
    """Stands where there is no Kafka: everything is refused, with the reason.

    Parameters
    ----------
    reason : str
        Why there is none, and what to do about it.
    """

    def __init__(self, reason: str) -> None:
        self._reason = reason

    async def publish(self, events: Sequence[Event]) -> list[Place]:
        """Refuse; see :class:`Publisher`."""
        raise Unpublished(self._reason, after_s=10)

    async def close(self) -> None:
        """Do nothing."""
