"""What was known of some users at one moment, for whoever stores it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.learning import HISTORY
from models.user_state import UserState, encode_state


@dataclass(slots=True)
class Picture:
    """What was known of some users at one moment, copied: it may be encoded in another thread, later.

    Attributes
    ----------
    names : list of str
    events, offsets, quota, silenced, keys, times, identities, kinds, values : ndarray
        The table's rows of these users.
    attributes, n_attributes : ndarray
        Hashes of their attributes, and how many there are.
    seen, starts, lengths : ndarray
        Their seen items, one list after the other.
    generations : ndarray
        Of the marks that they came back after, see :mod:`models.user_state`.
    erased : list of str
        Whose stored states must go, before any of the others is stored.
    """

    names: list[str]
    events: NDArray[np.int64]
    offsets: NDArray[np.int64]
    quota: NDArray[np.int64]
    silenced: NDArray[np.uint64]
    keys: NDArray[np.uint64]
    times: NDArray[np.int64]
    identities: NDArray[np.uint64]
    kinds: NDArray[np.uint8]
    values: NDArray[np.float32]
    attributes: NDArray[np.uint32]
    n_attributes: NDArray[np.uint8]
    seen: NDArray[np.uint64]
    starts: NDArray[np.int64]
    lengths: NDArray[np.int64]
    generations: NDArray[np.int64]
    erased: list[str]

    def encoded(self) -> list[tuple[str, bytes]]:
        """Return (user, stored form) of each, see :mod:`models.user_state`."""
        return [(name, self._encode(row)) for row, name in enumerate(self.names)]

    def _encode(self, row: int) -> bytes:
        events, start = int(self.events[row]), int(self.starts[row])
        ring = ring_of(events)
        clicks, ratings = self.offsets[row].tolist()
        hour, count = self.quota[row].tolist()
        return encode_state(
            UserState(
                events,
                (clicks, ratings),
                (hour, count),
                int(self.silenced[row]),
                self.keys[row, ring],
                self.times[row, ring],
                self.identities[row, ring],
                self.kinds[row, ring],
                self.values[row, ring],
                self.attributes[row, : int(self.n_attributes[row])],
                self.seen[start : start + int(self.lengths[row])],
                int(self.generations[row]),
            )
        )


def ring_of(events: int) -> NDArray[np.int64]:
    """Return where the recent ones of so many events stand, oldest first."""
    return np.arange(events - min(events, HISTORY), events) % HISTORY
