"""User or session nearest neighbours: what those had, around the same time, who lately had the same items.

Each item knows its 500 latest users and where it stands in their histories. Of them, the 500 who share most with the
user, his newest and rarest items counting most (``0.8^k · log(events / events of h_k)`` for the k-th), vote with what
they share for what they had shortly before and after (``0.8^distance``) the newest of the shared items. A user whose
events are one session is a session.

References
----------
Jannach, Ludewig: When recurrent neural networks meet the neighborhood for session-based recommendation. RecSys 2017.
Garg, Gupta, Malhotra, Vig, Shroff: Sequence and time aware neighborhood for session-based recommendations: STAN. SIGIR
2019.
"""

from __future__ import annotations

import numpy as np

from evaluation.contenders.moment import Learned, Moment, Scores
from models.kernel import grown, kernel

LATEST = 500
"""Users that an item remembers, and neighbours that vote."""
RECENT = 20
DECAY = 0.8
REACH = 10
"""How far from the shared item a neighbour's items may stand."""
_HELD = 256  # latest items of a user
_WEIGHTS = DECAY ** np.arange(max(RECENT, REACH + 1))


class SessionNeighbours:
    """Inverted index item → latest users, and the users' latest items."""

    def __init__(self) -> None:
        self._users = np.full((1024, LATEST), -1, np.int32)  # of each item, a ring
        self._places = np.zeros((1024, LATEST), np.int32)  # where it stands in their histories
        self._n_users = np.zeros(1024, np.int64)
        self._items = np.full((1024, _HELD), -1, np.int32)  # of each user, a ring
        self._n_items = np.zeros(1024, np.int64)
        self._shared = np.zeros(1024, np.float32)
        self._place = np.zeros(1024, np.int32)
        self._events = 0

    def learn(self, events: Learned) -> None:
        """Add events to the index."""
        self._make_room(int(events.rows.max()) + 1, int(events.users.max()) + 1)
        self._events = events.first + len(events.rows)
        _learn(
            events.rows, events.users, self._users, self._places, self._n_users, self._items, self._n_items
        )  # fmt: skip

    def score(self, moment: Moment) -> Scores:
        """Return the votes of the neighbours."""
        self._make_room(len(moment.candidate), moment.user + 1)
        out = np.zeros(len(moment.candidate))
        _vote(
            moment.recent[:RECENT], moment.user, self._events, self._users, self._places, self._n_users, self._items,
            self._n_items, self._shared, self._place, out,
        )  # fmt: skip
        return out

    def _make_room(self, rows: int, users: int) -> None:
        if rows > len(self._users):
            more = max(rows, 2 * len(self._users))
            self._users, self._places, self._n_users = (
                grown(column, more) for column in (self._users, self._places, self._n_users)
            )
        if users > len(self._items):
            more = max(users, 2 * len(self._items))
            self._items, self._n_items, self._shared, self._place = (
                grown(column, more) for column in (self._items, self._n_items, self._shared, self._place)
            )


@kernel
def _learn(rows, users, of_items, places, n_users, of_users, n_items):
    for event in range(len(rows)):
        row, user = rows[event], users[event]
        slot = n_users[row] % LATEST
        of_items[row, slot], places[row, slot] = user, n_items[user]
        n_users[row] += 1
        of_users[user, n_items[user] % _HELD] = row
        n_items[user] += 1


@kernel
def _vote(recent, own, events, of_items, places, n_users, of_users, n_items, shared, place, out):
    """Add the neighbours' votes to ``out``; ``shared`` is zero for all users before and after."""
    found = np.empty(len(recent) * LATEST, np.int32)
    n = 0
    for k in range(len(recent)):
        h = recent[k]
        if h < 0 or n_users[h] == 0:
            continue
        weight = np.float32(_WEIGHTS[k] * np.log(1.0 + events / n_users[h]))
        for slot in range(min(n_users[h], LATEST)):
            user = of_items[h, slot]
            if user != own:
                if shared[user] == 0.0:
                    found[n], place[user] = user, places[h, slot]
                    n += 1
                shared[user] += weight
    found = found[:n]
    overlap = shared[found]
    least = np.partition(overlap, n - LATEST)[n - LATEST] if n > LATEST else np.float32(0.0)
    for neighbour in range(n):
        user = found[neighbour]
        shared[user] = 0.0
        if overlap[neighbour] >= least:
            at = place[user]
            for other in range(max(at - REACH, n_items[user] - _HELD, 0), min(at + REACH + 1, n_items[user])):
                out[of_users[user, other % _HELD]] += overlap[neighbour] * _WEIGHTS[abs(other - at)]
