"""The replay as the owner of all partitions of its namespace: what it writes, under its epochs.

Epochs are raised when a replay begins or goes on. So two replays into one namespace, or a worker that was stopped
before and wakes up, cannot both write: the older one is refused, and ends.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

from infra.errors import StoreError
from serving.store.fence import WentBack
from serving.store.postings import Page
from serving.store.store import STEWARD, Store
from streams.stewarding.shared import SharedList

Partition = tuple[str, int]


class Owner:
    """Writes through the fence.

    Parameters
    ----------
    store : Store
    home : callable
        User → the partition that his state belongs to.
    name : str
        Of the namespace, for messages.
    """

    def __init__(self, store: Store, home: Callable[[str], int], name: str) -> None:
        self._store, self._home, self._name = store, home, name
        self._epochs: dict[int, int] = {}
        self._run_id = ""

    def take(self, partitions: int) -> None:
        """Become the owner of all partitions."""
        self._store.remember_partitions(partitions)
        self._run_id = self._store.run_id()
        self._epochs = self._store.raise_epochs(range(partitions))

    def epoch(self, user: str) -> int:
        """Return the epoch of a user's partition."""
        return self._epochs[self._home(user)]

    def load_states(self, users: Sequence[str]) -> list[bytes | None]:
        """Return the stored states of users; None where there is none."""
        return self._store.load_states([(self._home(user), user) for user in users])

    def write_states(self, states: Iterable[tuple[str, bytes]]) -> None:
        """Write states of users, given as (user, state)."""
        placed = [(self._home(user), user, state) for user, state in states]
        self._see(self._store.write_states(placed, [], self._epochs))

    def write_lists(self, lists: Iterable[tuple[str, bytes]], vectors: Iterable[tuple[str, bytes]]) -> None:
        """Write lists and vectors of users, given as (user, value)."""
        placed = [[(self._home(user), user, value) for user, value in values] for values in (lists, vectors)]
        self._see(self._store.write_lists(placed[0], {}, self._epochs))
        self._see(self._store.write_states([], placed[1], self._epochs))

    def write_reached(self, offsets: Mapping[Partition, int]) -> None:
        """Say which input states and lists contain; only after these."""
        numbers = sorted({partition for _, partition in offsets})
        before = self._store.applied(numbers)
        try:
            refused = self._store.write_applied(offsets, before, self._epochs, dict.fromkeys(numbers, self._run_id))
        except WentBack as error:
            raise StoreError(
                f"Redis was restarted or restored while namespace {self._name} was written and may lack some of it: "
                "start the replay anew with --fresh"
            ) from error
        self._see(refused)
        self._see(self._store.write_lists([], offsets, self._epochs))

    def write_pages(self, items: Sequence[Page]) -> None:
        """Write what pages show of items."""
        self._see_all(self._store.write_metadata(items, self._epochs[STEWARD]))

    def write_handled(self, records: Mapping[Partition, int]) -> None:
        """Say which item records :meth:`write_pages` has written."""
        self._see_all(self._store.write_handled(records, self._epochs[STEWARD]))

    def write_shared(self, lists: Sequence[SharedList], gone: Sequence[str]) -> None:
        """Write lists for everybody."""
        self._see_all(self._store.write_shared(lists, gone, self._epochs[STEWARD]))

    def write_items(
        self,
        similar: Sequence[tuple[str, bytes]],
        vectors: Sequence[tuple[str, bytes]],
        written: Mapping[Partition, int],
    ) -> None:
        """Write neighbours and vectors of items; ``written`` says up to which position of the log all are."""
        self._see_all(self._store.write_items(similar, vectors, (), written, self._epochs[STEWARD]))

    def _see(self, refused: Collection[int]) -> None:
        if refused:
            raise StoreError(
                f"another replay or a worker has taken over namespace {self._name}: this one has ended, and changes "
                "nothing more"
            )

    def _see_all(self, accepted: bool) -> None:
        self._see(() if accepted else (STEWARD,))
