"""What both programs that measure consumption do with a message: decode it, group it by user."""

from __future__ import annotations

import time
from collections import defaultdict

import orjson

from contracts.events import Click, decode


class Body:
    """Decodes and groups so many messages, and takes the time from the first of them to the last.

    Parameters
    ----------
    messages : int
        How many are wanted; more may come.
    """

    def __init__(self, messages: int) -> None:
        self._wanted = messages
        self._taken = 0
        self._began = self._ended = 0.0
        self._users: defaultdict[str, list[Click]] = defaultdict(list)

    @property
    def done(self) -> bool:
        """Whether enough have come."""
        return self._taken >= self._wanted

    def take(self, value: bytes, key: bytes, stamp: int) -> None:
        """Take one message; ``stamp`` is its time stamp in ms."""
        if not self._taken:
            self._began = time.perf_counter()
        click = decode(Click, value, key, stamp)
        self._users[str(click.user)].append(click)
        self._taken += 1
        if self._taken == self._wanted:
            self._ended = time.perf_counter()

    def report(self) -> None:
        """Print the figures as one JSON line."""
        seconds = self._ended - self._began
        figures = {"messages": self._wanted, "seconds": round(seconds, 3)}
        print(orjson.dumps(figures | {"messages_per_second": round(self._wanted / seconds)}).decode(), flush=True)
