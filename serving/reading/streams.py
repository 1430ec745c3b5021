"""Who wants to hear when a user's list changes.

While any stream is open, one task asks Redis ten times a second for the head of every list that somebody follows, all
in one round trip: the version stands there. A list whose head is another one wakes the streams of its user. A stream
holds no queue: whoever is slow hears of the newest list only.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import contextmanager

from serving.reading.reader import Reader, StoreUnavailable

log = logging.getLogger(__name__)

_LOOK_S = 0.1
_AWAY_S = 1.0  # between two looks while Redis is away


class TooManyStreams(Exception):
    """No more streams may be opened now."""


class Streams:
    """The open streams.

    Parameters
    ----------
    reader : Reader
    most : int
        So many may be open at the same time.
    look_s : float
        Between two looks, in seconds.
    """

    def __init__(self, reader: Reader, most: int, look_s: float = _LOOK_S) -> None:
        self._reader, self._most, self._look_s = reader, most, look_s
        self._followers: dict[str, set[asyncio.Event]] = {}
        self._heads: dict[str, bytes] = {}
        self._open = 0
        self._task: asyncio.Task[None] | None = None

    def admit(self) -> None:
        """Say whether another stream may be opened.

        Raises
        ------
        TooManyStreams
        """
        if self._open >= self._most:
            raise TooManyStreams(f"{self._most:,} streams are open, no more may be now; try again later")

    @contextmanager
    def following(self, user: str) -> Iterator[asyncio.Event]:
        """Give an event that is set whenever the user's list may have changed since it was cleared; at first too."""
        changed = asyncio.Event()
        changed.set()
        self._open += 1
        self._followers.setdefault(user, set()).add(changed)
        if self._task is None:
            self._task = asyncio.create_task(self._look())
        try:
            yield changed
        finally:
            self._open -= 1
            followers = self._followers[user]
            followers.discard(changed)
            if not followers:
                del self._followers[user]
                self._heads.pop(user, None)

    async def _look(self) -> None:
        try:
            while self._followers:
                users = list(self._followers)
                try:
                    heads = await self._reader.heads(users)
                except StoreUnavailable as error:
                    log.warning("streams wait: %s", error)
                    await asyncio.sleep(_AWAY_S)
                    continue
                for user, head in zip(users, heads, strict=True):
                    self._take(user, head)
                await asyncio.sleep(self._look_s)
        finally:
            self._task = None

    def _take(self, user: str, head: bytes) -> None:
        followers = self._followers.get(user)
        if followers is None:
            return
        if self._heads.get(user) != head:
            self._heads[user] = head
            for changed in followers:
                changed.set()
