"""What a reader of a deployment sees while it is disturbed: whether lists go back, and for how long input rests."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import orjson

from contracts.redis import Keys
from infra.redis import connect
from infra.settings import Settings

_LOOK_S = 0.02
_LISTS_EVERY = 25  # looks


class Witness:
    """Polls Redis in a thread of its own, for the time of a block.

    Parameters
    ----------
    settings : Settings
        Whose namespace is watched.
    users : sequence of str
        Whose lists are read.

    Attributes
    ----------
    lists : int
        How many lists were read that differed from what was read before.
    older : list of str
        Lists that were older than what was read before, in words.
    """

    def __init__(self, settings: Settings, users: Iterable[str]) -> None:
        self._keys = Keys(settings.namespace, settings.redis.prefix)
        self._store: Any = connect(settings.redis.url)
        self._users, self._partitions = list(users), settings.kafka.partitions
        self._versions: dict[str, tuple[int, int]] = {}
        self._moved: dict[int, list[float]] = {number: [] for number in range(self._partitions)}
        self._over = threading.Event()
        self.lists = 0
        self.older: list[str] = []

    def __enter__(self) -> Witness:
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def longest_rest(self, numbers: Iterable[int], begin: float, end: float) -> float | None:
        """Return for how many seconds a watermark stood still at most, in rests that overlap a time; None without one.

        ``begin`` and ``end`` by the monotonic clock.
        """
        rests = []
        for number in numbers:
            moved = list(self._moved[number])
            rests += [after - before for before, after in pairwise(moved) if after > begin]
            rests += [] if not moved or moved[-1] > end else [end - moved[-1]]
        return round(max(rests), 2) if rests else None

    def _run(self) -> None:
        marks: dict[int, Any] = {}
        look = 0
        while not self._over.wait(_LOOK_S):
            self._look_at_watermarks(marks)
            if look % _LISTS_EVERY == 0:
                self._look_at_lists()
            look += 1

    def _look_at_watermarks(self, marks: dict[int, Any]) -> None:
        pipeline = self._store.pipeline(transaction=False)
        for number in range(self._partitions):
            pipeline.hgetall(self._keys.watermark(number))
        now = time.monotonic()
        for number, mark in enumerate(pipeline.execute()):
            if mark != marks.get(number):
                marks[number] = mark
                self._moved[number].append(now)

    def _look_at_lists(self) -> None:
        for user, value in zip(self._users, self._store.mget([self._keys.top(u) for u in self._users]), strict=True):
            if value is None:
                if user in self._versions:
                    self.older.append(f"{user}: {self._versions[user]} is gone")
                continue
            epoch, sequence = orjson.loads(value)["version"].split(".")
            version, before = (int(epoch), int(sequence)), self._versions.get(user, (0, 0))
            self.lists += version != before
            if version < before:
                self.older.append(f"{user}: {version} after {before}")
            self._versions[user] = version
