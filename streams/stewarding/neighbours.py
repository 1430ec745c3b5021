"""Items' neighbours and vectors, kept up to date in the store by the owner of partition 0.

Every worker knows since which position of the learning log a row waits. The owner says in the store up to which
position everything is written; whoever becomes the owner goes on from there.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping

import numpy as np
import orjson

from contracts.redis import encode_vector
from models.engine import Engine
from models.scorers.cooccurrence import UNITS
from serving.store.store import STEWARD, Store

_SIMILAR = 50
_EVIDENCE = 20
"""Neighbours whose evidence is written."""
_AT_ONCE = 10
"""Items whose neighbours are written in one turn of the event loop, at most; the others wait for the next."""
# Neighbours cost a pass over all embeddings, 15 to 40 ns an item: so many items are looked at in one turn, on average.
_LOOKED_AT = 200_000
_REST_S = 1.0
_LEFT = 100_000


class Neighbours:
    """Makes the values of items that follow from the model.

    Parameters
    ----------
    engine : Engine
    log : str
        Full name of the learning log.
    """

    def __init__(self, engine: Engine, log: str) -> None:
        self._engine, self._place = engine, (log, STEWARD)
        self._rested, self._affordable = 0.0, 0.0
        self._since = np.zeros(0, np.int64)  # row → position at which it was last seen to have changed
        # Position, item that had left. Beyond so many the store keeps what it has of the oldest.
        self._gone: deque[tuple[int, str]] = deque(maxlen=_LEFT)
        self._begin = 0
        self._written = 0

    def begin(self) -> None:
        """Say that the model is restored: what changed before is not known here."""
        self._begin = self._engine.items.position

    def note(self, stored: Mapping[tuple[str, int], int]) -> None:
        """Note what waits, for a worker that does not write it; ``stored`` is what the store says to be applied."""
        items = self._engine.items
        rows = np.array(items.touched(len(items.catalogue) + 1), np.int64)
        if len(self._since) < len(items.catalogue):
            self._since = np.append(self._since, np.zeros(len(items.catalogue) - len(self._since), np.int64))
        self._since[rows] = items.position
        self._gone.extend((items.position, item) for item in items.gone(_LEFT))
        written = stored.get(self._place, 0)
        while self._gone and self._gone[0][0] <= written:
            self._gone.popleft()

    def take_over(self, stored: Mapping[tuple[str, int], int]) -> None:
        """Begin to write, with what the owner before has not written."""
        self.note(stored)
        written = stored.get(self._place, -1)
        # What changed before the model was restored is not known here, so then it is everything.
        rows = np.flatnonzero(self._since > (written if written >= self._begin else -1)).tolist()
        ids = self._engine.items.catalogue.ids
        self._engine.items.touch(row for row in rows if ids[row])

    def write(self, store: Store, epoch: int) -> Callable[[], bool]:
        """Return a call that writes some of what waits."""
        engine, now = self._engine, time.time_ns() // 1_000_000
        a_turn = min(_AT_ONCE, _LOOKED_AT / max(1, len(engine.items.catalogue)))
        self._affordable = min(max(1.0, a_turn), self._affordable + a_turn)  # of many items one in some turns
        affordable = int(self._affordable)
        rested = time.monotonic() >= self._rested
        rows = engine.items.touched(affordable) if rested else []
        self._affordable -= len(rows)
        written = {}
        if rested and len(rows) < affordable:
            # A round is over: so nothing is written more often than that.
            self._rested = time.monotonic() + _REST_S
            if self._written < engine.items.position:
                self._written = engine.items.position
                written[self._place] = self._written
        similar, vectors = of_items(engine, rows, now)
        gone = engine.items.gone(_AT_ONCE)
        while self._gone and len(gone) < _AT_ONCE:
            _, item = self._gone.popleft()
            if engine.items.catalogue.row(item) < 0:
                gone.append(item)
        return lambda: store.write_items(similar, vectors, gone, written, epoch)


def of_items(engine: Engine, rows: list[int], now: int) -> tuple[list[tuple[str, bytes]], list[tuple[str, bytes]]]:
    """Return (item, neighbours) and (item, vector) of the items of some rows as they stand in the store."""
    ids = [engine.items.catalogue.ids[row] for row in rows]
    similar = []
    for item, row in zip(ids, rows, strict=True):
        near, scores = engine.similar(row, _SIMILAR)
        evidence = evidence_of(engine, row, near[:_EVIDENCE])
        similar.append((item, orjson.dumps({"items": near, "scores": scores, "time": now, **evidence})))
    return similar, [(item, encode_vector(engine.item_vector(row))) for item, row in zip(ids, rows, strict=True)]


def evidence_of(engine: Engine, row: int, near: list[str]) -> dict[str, list[float]]:
    """Return how often each of an item's neighbours came after and before it.

    Counted are people's next ten items; the k-th of them counts 1/k.
    """
    pairs = engine.items.pairs
    table = slice(pairs.starts[row], pairs.starts[row] + pairs.rooms[row])
    place = {int(other): number for number, other in enumerate(pairs.neighbours[table])}
    found = [place.get(engine.items.catalogue.row(item)) for item in near]
    return {
        name: [0.0 if at is None else round(int(counts[at]) / UNITS, 1) for at in found]
        for name, counts in (("after", pairs.after[table]), ("before", pairs.before[table]))
    }
