"""Waiting until readers see what was published: the other half of tokens.

Workers write, beside the lists, up to which offset of each input partition the lists are made: the watermark. While
anybody waits, one task reads those of the partitions that are waited for, all in one round trip, every few
milliseconds; while nobody does, nothing is read. A thousand waiters cost Redis what one does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping

from contracts.tokens import Place
from contracts.topics import ITEMS
from serving.reading.reader import Reader, StoreUnavailable

_LOOK_S = 0.003


class Waiting:
    """Knows up to where input has its effect, and who waits for more.

    Parameters
    ----------
    reader : Reader
    topics : mapping of str to str
        Name in tokens → full name of the topic.
    most : int
        So many may wait at the same time; who comes beyond them does not wait.
    look_s : float
        Between two looks, in seconds.
    """

    def __init__(self, reader: Reader, topics: Mapping[str, str], most: int, look_s: float = _LOOK_S) -> None:
        self._reader, self._topics, self._most, self._look_s = reader, topics, most, look_s
        self._waiters: set[_Waiter] = set()
        self._task: asyncio.Task[None] | None = None

    async def until(self, places: Iterable[Place], seconds: float) -> bool:
        """Wait until what stands at these places has its effect; return whether it has.

        Parameters
        ----------
        places : iterable of Place
        seconds : float
            At most so long.

        Raises
        ------
        StoreUnavailable
            When Redis does not answer.
        """
        if len(self._waiters) >= self._most:
            return await self.passed(places)
        waiter = self._waiter(places)
        if not waiter.missing:
            return True
        self._waiters.add(waiter)
        if self._task is None:
            self._task = asyncio.create_task(self._look())
        try:
            async with asyncio.timeout(seconds):
                await waiter.future
            return True
        except TimeoutError:
            return False
        finally:
            self._waiters.discard(waiter)

    async def passed(self, places: Iterable[Place]) -> bool:
        """Return whether what stands at these places has its effect, without waiting."""
        waiter = self._waiter(places)
        waiter.take(await self._reached([waiter]))
        return not waiter.missing

    def _waiter(self, places: Iterable[Place]) -> _Waiter:
        return _Waiter((self._topics[topic], partition, offset) for topic, partition, offset in places)

    async def _look(self) -> None:
        try:
            while self._waiters:
                try:
                    reached = await self._reached(self._waiters)
                except StoreUnavailable as error:
                    for waiter in self._waiters:
                        waiter.fail(error)
                    return
                for waiter in self._waiters:
                    waiter.take(reached)
                await asyncio.sleep(self._look_s)
        finally:
            self._task = None

    async def _reached(self, waiters: Iterable[_Waiter]) -> dict[tuple[str, int], int]:
        items = self._topics[ITEMS.name]
        missing = {place for waiter in waiters for place in waiter.missing}
        return await self._reader.reached(
            {partition for topic, partition in missing if topic != items},
            {partition for topic, partition in missing if topic == items},
        )


class _Waiter:
    """One who waits, for all of some places."""

    def __init__(self, places: Iterable[tuple[str, int, int]]) -> None:
        self.missing = {(topic, partition): offset for topic, partition, offset in places}
        self.future: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def take(self, reached: Mapping[tuple[str, int], int]) -> None:
        """Take over how far it is; a watermark names the next offset that is not written."""
        for place in [place for place, offset in self.missing.items() if reached.get(place, 0) > offset]:
            del self.missing[place]
        if not self.missing and not self.future.done():
            self.future.set_result(None)

    def fail(self, error: Exception) -> None:
        """Stop waiting."""
        if not self.future.done():
            self.future.set_exception(error)
