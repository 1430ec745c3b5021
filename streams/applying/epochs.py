"""The epochs under which a worker owns partitions: what it shows to the store with every write."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from serving.store.store import STEWARD

Partition = tuple[str, int]


class Epochs:
    """Under which epochs this worker owns partitions.

    Attributes
    ----------
    now : mapping of int to int
        Never changed but replaced, so that whoever makes something to be written can keep what was valid then.
    run_ids : dict
        Partition → which run of the store's server it was taken from.
    applied : dict
        (topic, partition) → the offset that the store holds, as far as this worker knows.
    """

    def __init__(self, partitions: int) -> None:
        self._partitions = partitions
        self.now: Mapping[int, int] = {}
        self.run_ids: dict[int, str] = {}
        self.applied: dict[Partition, int] = {}

    @property
    def all(self) -> bool:
        """Whether this worker owns all partitions."""
        return len(self.now) == self._partitions

    @property
    def steward(self) -> int | None:
        """The epoch under which this worker writes what belongs to nobody; None where another does."""
        return self.now.get(STEWARD)

    def gain(self, epochs: Mapping[int, int]) -> None:
        """Note partitions as owned."""
        self.now = {**self.now, **epochs}

    def drop(self, numbers: Iterable[int]) -> None:
        """Note partitions as no longer owned."""
        gone = set(numbers)
        self.now = {number: epoch for number, epoch in self.now.items() if number not in gone}
