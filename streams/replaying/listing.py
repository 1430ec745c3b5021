"""What readers find once a replay is done: a list for every user, lists for everybody, neighbours and vectors of items.

All are made at the end, from all that was learned, because nobody reads the namespace before.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from contracts.redis import encode_vector
from infra.settings import Settings
from models.engine import Engine
from serving.store import Store
from streams.engine import limits_of
from streams.lists import ListMaker, of_items
from streams.replaying.durable import Durable
from streams.shared import SharedLists

_USERS_AT_ONCE = 512
_ITEMS_AT_ONCE = 200
_CATEGORIES_AT_ONCE = 25


class Listing:
    """Makes and writes lists.

    Parameters
    ----------
    settings : Settings
    engine, store, durable
        Of this replay.
    epoch : callable
        User → the epoch of his partition, first part of a list's version.
    """

    def __init__(
        self, settings: Settings, engine: Engine, store: Store, durable: Durable, epoch: Callable[[str], int]
    ) -> None:
        self._engine, self._store, self._durable = engine, store, durable
        self._shared = SharedLists(engine, settings.model.list_length, settings.model.category_lists)
        self._turns = 1 + settings.model.category_lists // _CATEGORIES_AT_ONCE
        self._lists = ListMaker(
            engine, settings.model.list_length, settings.model.reasons, self._shared, epoch, limits_of(settings)
        )

    def users(self, users: Sequence[str]) -> Iterator[int]:
        """Write lists and vectors of users, in this order; yields how many lists were written in each step."""
        table = self._engine.users
        for first in range(0, len(users), _USERS_AT_ONCE):
            some = users[first : first + _USERS_AT_ONCE]
            self._durable.admit(some)
            slots = np.fromiter((table.slot(user) for user in some), np.int32, len(some))
            # Whoever's past is replayed is here now, see `UserTable.present`.
            self._lists.heard_of(slots)
            lists = self._lists.make(slots)
            self._store.write_lists(lists, {})
            self._store.write_states([], [(user, encode_vector(v)) for user, v in self._engine.vectors(some)])
            table.evict()
            yield len(lists)

    def shared(self) -> None:
        """Write the lists for everybody."""
        self._shared.resume(self._store.categories())
        for _ in range(self._turns):
            self._lists.write_shared(self._store)()

    def items(self) -> Iterator[int]:
        """Write neighbours and vectors of all items that may be listed; yields how many in each step."""
        rows = np.flatnonzero(self._engine.items.catalogue.is_listed()).tolist()
        for first in range(0, len(rows), _ITEMS_AT_ONCE):
            some = rows[first : first + _ITEMS_AT_ONCE]
            similar, vectors = of_items(self._engine, some, time.time_ns() // 1_000_000)
            self._store.write_items(similar, vectors)
            yield len(some)
        self._engine.items.touched(len(rows))  # a worker that goes on need not write them again
