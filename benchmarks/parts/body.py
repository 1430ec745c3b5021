"""What both programs of the measurement of consumption do with a message: decode it, group by user."""

from __future__ import annotations

from collections import defaultdict

from contracts.events import Click, decode


class Body:
    """Decodes and groups, and takes the time from the first message to the last.

    Parameters
    ----------
    messages : int
        How many to take.
    """

    def __init__(self, messages: int) -> None:
        self._wanted = messages
        self.taken = 0
        self.users: defaultdict[str, list[Click]] = defaultdict(list)

    @property
    def done(self) -> bool:
        """Whether enough were taken."""
        return self.taken >= self._wanted

    def take(self, value: bytes, key: bytes, stamp: int) -> None:
        """Take one message; ``stamp`` is its time stamp in ms."""
        click = decode(Click, value, key, stamp)
        self.users[str(click.user)].append(click)
        self.taken += 1
