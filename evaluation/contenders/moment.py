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
from models.profiles import Profiles

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
    profile : Profiles
        Of this one user: his recent items and what he thought of them, and whether he goes on or comes back.
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
    profile: Profiles
    candidate: NDArray[np.bool_]
    target: int

    @property
    def recent(self) -> NDArray[np.int32]:
        """Rows of the user's recent items, newest first, -1 = none, shape (HISTORY,)."""
        return np.asarray(self.profile.recent[0])

    @cached_property
    def apart(self) -> list[NDArray[np.float32]]:
        """The blend's scores and each scorer's own, in the order of :data:`OF_THE_ENGINE`."""
        vector = self.items.embeddings.users(self.profile.recent)[0]
        scores = ranking.apart(vector, self.profile, self.candidate, self.tables)
        return [scores.blend, *scores.own, *scores.standing]


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
