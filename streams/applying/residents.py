"""Who is in memory: users are loaded before their events are applied, and forgotten when they wish to be."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from models.user_state import CorruptState
from models.users import UserTable
from serving.store.store import Store
from streams.applying.outbox import Outbox, stubbornly
from streams.forgetting.marks import Marks

Loaded = list[tuple[str, bytes | None]]
"""Users and their stored states, None where there is none."""


class Residents:
    """Brings users into memory.

    Parameters
    ----------
    users, store, outbox, marks
        Of this worker.
    home : callable
        User → his own partition.
    warn : callable
        Told of a state that cannot be used.
    """

    def __init__(
        self,
        users: UserTable,
        store: Store,
        outbox: Outbox,
        marks: Marks,
        home: Callable[[str], int],
        warn: Callable[[str], None],
    ) -> None:
        self._users, self._store, self._outbox, self._marks = users, store, outbox, marks
        self._home, self._warn = home, warn

    async def load(self, names: Iterable[str]) -> Loaded:
        """Return what is stored of those users who are not resident; for :meth:`admit`."""
        names = list(dict.fromkeys(names))
        if self._marks:
            self._drop_stale(names)
        users = self._users.missing(names)
        if not users:
            return []
        places = [(self._home(user), user) for user in users]
        states = await stubbornly(None, self._outbox.log.warning, self._store.load_states, places)
        return list(zip(users, states, strict=True))

    def admit(self, loaded: Loaded) -> None:
        """Make users resident; who was forgotten starts anew."""
        for user, state in loaded:
            rebirth = self._marks.rebirth(user)
            try:
                self._users.admit(user, state, rebirth)
            except CorruptState as error:
                self._warn(f"{error}; this user starts anew, `headrace replay` rebuilds what was lost")
                self._users.admit(user, None, rebirth)

    def forget(self, names: Iterable[str]) -> list[str]:
        """Forget resident users whose marks are known, but for those who have come back since; return who is gone."""
        gone = [user for user in names if self._users.is_blank(self._users.slot(user))]
        for user in gone:
            self._users.erase(user)
        return gone

    def _drop_stale(self, names: list[str]) -> None:
        """Forget who was forgotten through another namespace; his wish comes here, too, and may lie behind."""
        for user in names:
            rebirth = self._marks.rebirth(user)
            if rebirth and self._users.is_stale(user, rebirth):
                self._users.erase(user)
