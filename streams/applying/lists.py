"""Users' lists in their written form."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import orjson
from numpy.typing import NDArray

from infra.steady import steady_ms
from models.due import Limits
from models.engine import Engine, Observation
from models.listing import ListEncoder
from models.ratings import rater
from models.scorers.popularity import POPULAR
from models.selection import NONE
from models.slots import SHOWN

_COVER_MS = 5000  # it takes a pass over all heads of lists, 3 ms of 100,000 users
RATED = 10
"""How many items of a list carry a predicted rating."""


class ListMaker:
    """Makes the values that readers find in Redis.

    Parameters
    ----------
    engine : Engine
    length, reasons : int
        Of users' lists.
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
        epoch: Callable[[str], int],
        limits: Limits,
    ) -> None:
        self._limits = limits
        self._engine, self._length, self._reasons, self._epoch = engine, length, reasons, epoch
        self._encoder = ListEncoder(engine.items.catalogue)
        self._sequence = 0
        self._popular = np.zeros(0, np.int32)
        self._coverage, self._cover_at = 0.0, 0

    def make(self, slots: NDArray[np.int32]) -> list[tuple[str, bytes]]:
        """Return (user, list) of resident users, made from what is known now; none for those of whom nothing is."""
        engine, now, age = self._engine, time.time_ns() // 1_000_000, steady_ms()
        engine.users.listed[slots], engine.users.made[slots] = engine.revision, age
        slots = slots[engine.views.knows(slots)]
        if not len(slots):
            return []
        lists = engine.refresh(slots, self._length, self._reasons, engine.users.present(slots, age))
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
        return self._engine.users.due(self._engine.revision, n, steady_ms(), self._limits)

    def left_s(self, user: str) -> int:
        """Return how long the list of a resident user still lives, in s, if he goes on doing nothing."""
        engine = self._engine
        silent_ms = steady_ms() - int(engine.users.acted[engine.users.slot(user)])
        return max(1, round((self._limits.gone_ms - silent_ms) / 1000))

    def heard_of(self, slots: NDArray[np.int32]) -> None:
        """Note that users are here now."""
        self._engine.users.acted[slots] = steady_ms()

    def was_shown(self, observation: Observation) -> NDArray[np.bool_]:
        """Return for each event whether its item stands among the first ten of the list that its user has now."""
        engine = self._engine
        shown = engine.users.shown[observation.slots]
        without = shown[:, 0] == NONE
        if without.any() and len(self._popular):
            shown[without, : len(self._popular)] = self._popular
        targets = engine.items.catalogue.rows(observation.keys)
        return np.asarray((shown == targets[:, None]).any(axis=1))

    def coverage(self) -> float:
        """Return which share of the items that may be shown stands among the first ten of any user's list.

        Of the users in memory and of those whose place there nobody has taken yet; some seconds old.
        """
        now = steady_ms()
        if now >= self._cover_at:
            shown, heads = self._engine.shown(), self._engine.users.shown.ravel()
            listed = np.zeros(len(shown), np.bool_)
            listed[heads[(heads != NONE) & (heads < len(shown))]] = True
            self._coverage = round(float((listed & shown).sum() / max(1, shown.sum())), 4)
            self._cover_at = now + _COVER_MS
        return self._coverage

    def note_popular(self) -> None:
        """Note what heads the popular list now: what a user without a list is shown."""
        head, _ = self._engine.popular(POPULAR, SHOWN)
        self._popular = np.array([self._engine.items.catalogue.row(item) for item in head], np.int32)

    def _ratings(self, user: str, rows: NDArray[np.int32]) -> bytes:
        head = rows[:RATED]
        predicted = self._engine.items.ratings.predict(rater(user), head[head != NONE])
        return b"" if predicted is None else b',"ratings":' + orjson.dumps(np.round(predicted, 2).tolist())
