"""Lists in their written form: users' own lists, and items' neighbours."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import orjson
from numpy.typing import NDArray

from contracts.redis import encode_vector
from models.engine import Engine, Observation, rater
from models.listing import ListEncoder
from models.scorers.popularity import POPULAR
from models.selection import NONE
from models.users import SHOWN, Limits
from serving.store import Store
from streams.shared import SharedLists, encode_shared

RATED = 10
"""How many items of a list carry a predicted rating."""
_SIMILAR = 50
_REFRESHED_ITEMS = 10
"""Items whose neighbours are written in one turn of the event loop, at most; the others wait for the next."""
# Neighbours cost a pass over all embeddings, 15 ns an item: so many items are looked at in one turn, about 3 ms.
_LOOKED_AT = 200_000

_ITEM_REST_S = 1.0


class ListMaker:
    """Makes the values that readers find in Redis.

    Parameters
    ----------
    engine : Engine
    length, reasons : int
        Of users' lists.
    shared : SharedLists
        Those for everybody.
    epoch : callable
        User → the epoch of his partition's owner, first part of a list's version.
    limits : Limits
        How long silent users' lists are kept fresh.
    """

    def __init__(
        self,
        engine: Engine,
        length: int,
        reasons: int,
        shared: SharedLists,
        epoch: Callable[[str], int],
        limits: Limits,
    ) -> None:
        self._limits = limits
        self._rested = 0.0
        self._engine, self._length, self._reasons, self._epoch = engine, length, reasons, epoch
        self._shared = shared
        self._encoder = ListEncoder(engine.items.catalogue)
        self._sequence = 0
        self._popular = np.zeros(0, np.int32)

    def make(self, slots: NDArray[np.int32]) -> list[tuple[str, bytes]]:
        """Return (user, list) of resident users, made from what is known now; none for those of whom nothing is."""
        engine, now = self._engine, time.time_ns() // 1_000_000
        engine.users.listed[slots], engine.users.made[slots] = engine.revision, now
        slots = slots[engine.knows(slots)]
        if not len(slots):
            return []
        lists = engine.refresh(slots, self._length, self._reasons, engine.users.present(slots, now))
        engine.users.shown[slots, : self._length] = lists.rows[:, :SHOWN]
        self._sequence += 1
        model = engine.items.position
        made = []
        for slot, rows, body in zip(slots.tolist(), lists.rows, self._encoder.encode(lists), strict=True):
            user = engine.users.names[slot]
            head = f'{{"version":"{self._epoch(user)}.{self._sequence}","time":{now},"model":"{model}",'
            made.append((user, head.encode() + body + self._ratings(user, rows) + b"}"))
        return made

    def due(self, n: int) -> NDArray[np.int32]:
        """Return up to ``n`` users whose lists should be made anew though they do nothing."""
        return self._engine.users.due(self._engine.revision, n, time.time_ns() // 1_000_000, self._limits)

    def heard_of(self, slots: NDArray[np.int32]) -> None:
        """Note that users are here now."""
        self._engine.users.acted[slots] = time.time_ns() // 1_000_000

    def was_shown(self, observation: Observation) -> NDArray[np.bool_]:
        """Return for each event whether its item stands among the first ten of the list that its user has now."""
        engine = self._engine
        shown = engine.users.shown[observation.slots]
        without = shown[:, 0] == NONE
        if without.any() and len(self._popular):
            shown[without, : len(self._popular)] = self._popular
        targets = engine.items.catalogue.rows(observation.keys)
        return np.asarray((shown == targets[:, None]).any(axis=1))

    def write_shared(self, store: Store) -> Callable[[], None]:
        """Return a call that writes the lists for everybody that have changed, made from what is known now."""
        catalogue = self._engine.items.catalogue
        head, _ = self._engine.popular(POPULAR, SHOWN)
        self._popular = np.array([catalogue.row(item) for item in head], np.int32)
        changed = self._shared.changed(time.time_ns() // 1_000_000)
        gone = self._shared.gone()
        return lambda: store.write_shared(changed, gone)

    def write_items(self, store: Store) -> Callable[[], None]:
        """Return a call that writes neighbours and vectors of some items learned from, and removes those that left."""
        engine, now = self._engine, time.time_ns() // 1_000_000
        affordable = min(_REFRESHED_ITEMS, max(1, _LOOKED_AT // max(1, len(engine.items.catalogue))))
        rows = engine.items.touched(affordable) if time.monotonic() >= self._rested else []
        if 0 < len(rows) < affordable:
            # A round is over: so nothing is written more often than that.
            self._rested = time.monotonic() + _ITEM_REST_S
        similar, vectors = of_items(engine, rows, now)
        gone = engine.items.gone(_REFRESHED_ITEMS)
        return lambda: store.write_items(similar, vectors, gone)

    def _ratings(self, user: str, rows: NDArray[np.int32]) -> bytes:
        head = rows[:RATED]
        predicted = self._engine.items.ratings.predict(rater(user), head[head != NONE])
        return b"" if predicted is None else b',"ratings":' + orjson.dumps(np.round(predicted, 2).tolist())


def of_items(engine: Engine, rows: list[int], now: int) -> tuple[list[tuple[str, bytes]], list[tuple[str, bytes]]]:
    """Return (item, neighbours) and (item, vector) of the items of some rows as they stand in the store."""
    ids = [engine.items.catalogue.ids[row] for row in rows]
    similar = [(item, encode_shared(*engine.similar(row, _SIMILAR), now)) for item, row in zip(ids, rows, strict=True)]
    return similar, [(item, encode_vector(engine.item_vector(row))) for item, row in zip(ids, rows, strict=True)]
