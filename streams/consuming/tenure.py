"""Which partition numbers this worker works on, and since when.

A number starts only when it is assigned of every user-keyed topic: a user's clicks and ratings are applied by one
worker or not at all. Each start is a tenure of its own, so that a batch fetched in an earlier one can be told.
"""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterable, Mapping

Partition = tuple[str, int]


class Tenures:
    """The partition numbers at work; may be asked and changed from any thread.

    Parameters
    ----------
    topics : collection of str
        All that must be assigned together.
    """

    def __init__(self, topics: Collection[str]) -> None:
        self._topics = frozenset(topics)
        self._assigned: set[Partition] = set()
        self._since: dict[int, int] = {}
        self._count = 0
        self._lock = threading.Lock()

    @property
    def assigned(self) -> frozenset[Partition]:
        """All parts assigned, at work or not."""
        return frozenset(self._assigned)

    @property
    def numbers(self) -> frozenset[int]:
        """The numbers at work."""
        return frozenset(self._since)

    def places(self) -> frozenset[Partition]:
        """Return (topic, number) of all numbers at work."""
        return frozenset((topic, number) for number in self.numbers for topic in self._topics)

    def assign(self, parts: Iterable[Partition]) -> frozenset[int]:
        """Note parts as assigned; return the numbers that are complete now and not at work yet."""
        self._assigned.update(parts)
        numbers = {number for _, number in self._assigned}
        whole = {number for number in numbers if all((topic, number) in self._assigned for topic in self._topics)}
        return frozenset(whole) - self.numbers

    def start(self, numbers: Iterable[int]) -> None:
        """Begin to work on numbers."""
        with self._lock:
            for number in numbers:
                self._count += 1
                self._since[number] = self._count

    def end(self, numbers: Iterable[int]) -> None:
        """Stop to work on numbers: what was fetched of them and not applied is no longer ours."""
        with self._lock:
            for number in numbers:
                self._since.pop(number, None)

    def revoke(self, parts: Iterable[Partition]) -> frozenset[int]:
        """Note parts as assigned no longer; return the numbers at work that miss one now."""
        gone = set(parts)
        self._assigned -= gone
        return frozenset(number for _, number in gone) & self.numbers

    def since(self, numbers: Iterable[int]) -> dict[int, int]:
        """Return number → its present tenure, of those at work."""
        with self._lock:
            return {number: self._since[number] for number in numbers if number in self._since}

    def still(self, tenures: Mapping[int, int]) -> frozenset[int]:
        """Return the numbers of which earlier tenures go on."""
        with self._lock:
            return frozenset(number for number, since in tenures.items() if self._since.get(number) == since)
