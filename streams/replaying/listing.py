"""What readers find once a replay is done: a list for every user, lists for everybody, neighbours and vectors of items.

All are made at the end, from all that was learned, because nobody reads the namespace before.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence

import numpy as np

from contracts.redis import encode_vector
from infra.settings import Settings
from models.engine import Engine
from streams.applying.lists import ListMaker
from streams.learning.engine import limits_of
from streams.replaying.durable import Durable
from streams.replaying.owner import Owner
from streams.stewarding.neighbours import of_items
from streams.stewarding.shared import SharedLists

_USERS_AT_ONCE = 512
_ITEMS_AT_ONCE = 200
_CATEGORIES_AT_ONCE = 25


class Listing:
    """Makes and writes lists.

    Parameters
    ----------
    settings : Settings
    engine, owner, durable
        Of this replay.
    """

    def __init__(self, settings: Settings, engine: Engine, owner: Owner, durable: Durable) -> None:
        self._engine, self._owner, self._durable = engine, owner, durable
        self._shared = SharedLists(engine, settings.model.list_length, settings.model.category_lists)
        self._turns = 1 + settings.model.category_lists // _CATEGORIES_AT_ONCE
        self._lists = ListMaker(
            engine, settings.model.list_length, settings.model.reasons, owner.epoch, limits_of(settings)
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
            vectors = [(user, encode_vector(vector)) for user, vector in self._engine.vectors(some)]
            self._owner.write_lists(lists, vectors)
            table.evict()
            yield len(lists)

    def shared(self) -> None:
        """Write the lists for everybody."""
        for _ in range(self._turns):
            self._owner.write_shared(self._shared.changed(time.time_ns() // 1_000_000), self._shared.gone())

    def items(self, log: str) -> Iterator[int]:
        """Write neighbours and vectors of all items that may be listed; yields how many in each step.

        At last the store is told that they are written up to the model's position in the learning log named ``log``, so
        that a worker need not write them again.
        """
        rows = np.flatnonzero(self._engine.items.catalogue.is_listed()).tolist()
        for first in range(0, len(rows), _ITEMS_AT_ONCE):
            some = rows[first : first + _ITEMS_AT_ONCE]
            similar, vectors = of_items(self._engine, some, time.time_ns() // 1_000_000)
            self._owner.write_items(similar, vectors, {})
            yield len(some)
        self._owner.write_items([], [], {(log, 0): self._engine.items.position})
