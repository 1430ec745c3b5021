"""A share of the time for what must not hold up the rest."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

_SAVED_S = 0.25


class Budget:
    """Lets something go on as long as it takes no more than a share of the time.

    A quarter of a second is there from the start, and as much is saved up while little happens.

    Parameters
    ----------
    share : float
        0 … 1; 0 = never, 1 = always.
    """

    def __init__(self, share: float) -> None:
        self._share = share
        self._left_s = _SAVED_S if share else 0.0
        self._asked = time.monotonic()

    def allows(self) -> bool:
        """Return whether any time is left."""
        now = time.monotonic()
        self._left_s = min(_SAVED_S, self._left_s + self._share * (now - self._asked))
        self._asked = now
        return self._left_s > 0.0 or self._share == 1.0

    @contextmanager
    def spent(self) -> Iterator[None]:
        """Count the time that a block takes, in the thread that it runs in."""
        began = time.thread_time()
        yield
        self._left_s -= time.thread_time() - began
