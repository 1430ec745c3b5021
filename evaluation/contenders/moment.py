"""What a contender is asked and told: a moment at which to score all items, and the events that were learned since."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models import ranking
from models.combine import SCORERS, Tables
from models.item_model import ItemModel

Scores = NDArray[np.float32] | NDArray[np.float64]

OF_THE_ENGINE = ("blend", *SCORERS)
"""The engine's own contenders, as :attr:`Moment.apart` scores them in one go."""


@dataclass
class Moment:
    """What is known when an event is ranked.

    Attributes
    ----------
    position : int
        The event's position in the stream.
    user : int
        Whose event it is, as a position in the stream's ``users``.
    time : int
        When it happens, ms since the epoch.
    items : ItemModel
        What has been learned until then.
    tables : Tables
        The same as the scorers read it.
    recent : ndarray of int32, shape (HISTORY,)
        Rows of the user's recent items, newest first, -1 = none.
    candidate : ndarray of bool, shape (rows,)
        Which items may be recommended.
    target : int
        Row of the event's item.
    """

    position: int
    user: int
    time: int
    items: ItemModel
    tables: Tables
    recent: NDArray[np.int32]
    candidate: NDArray[np.bool_]
    target: int

    @cached_property
    def apart(self) -> NDArray[np.float32]:
        """The blend's scores and each scorer's own, shape (1 + len(SCORERS), rows)."""
        out = np.zeros((len(OF_THE_ENGINE), len(self.candidate)), np.float32)
        vector = self.items.embeddings.users(self.recent[None])[0]
        ranking.apart(vector, self.recent, self.candidate, self.tables, out)
        return out


@dataclass(frozen=True)
class Learned:
    """Events that the engine has just learned, in order.

    Attributes
    ----------
    first : int
        How many events were learned before.
    rows : ndarray of int32, shape (m,)
        Rows of their items.
    users : ndarray of int32, shape (m,)
        Whose they are, as positions in the stream's ``users``.
    times : ndarray of int64, shape (m,)
        ms since the epoch.
    ratings : ndarray of float64, shape (m,)
        NaN where there is none.
    """

    first: int
    rows: NDArray[np.int32]
    users: NDArray[np.int32]
    times: NDArray[np.int64]
    ratings: NDArray[np.float64]


class Contender(Protocol):
    """Gives every item a score for a user at a moment; larger is better."""

    def learn(self, events: Learned) -> None:
        """Take note of what the engine has just learned."""

    def score(self, moment: Moment) -> Scores:
        """Return a score for each row; the array stays the contender's own."""


class Stateless:
    """Base of what learns nothing beside the engine."""

    def learn(self, events: Learned) -> None:
        """Learn nothing."""


def room(values: NDArray[np.float64], rows: int) -> NDArray[np.float64]:
    """Return the array with room for so many rows, new ones zero."""
    if rows <= len(values):
        return values
    return np.concatenate([values, np.zeros((max(rows - len(values), len(values)), *values.shape[1:]), values.dtype)])
