"""Warnings that come many times a second while something is wrong, told every few seconds."""

from __future__ import annotations

import time
from collections.abc import Callable

_EVERY_S = 10.0


class Seldom:
    """Tells a warning at once, and then not again for some seconds.

    A client of Kafka calls back twenty times a second while no broker answers. A log that nobody reads fast enough
    would stop the worker.

    Parameters
    ----------
    warn : callable
        Of a logger.
    every_s : float
        How long it is silent.
    """

    def __init__(self, warn: Callable[..., None], every_s: float = _EVERY_S) -> None:
        self._warn, self._every_s = warn, every_s
        self._next = 0.0
        self._untold = 0

    def tell(self, text: str) -> None:
        """Tell it, or count it as untold; from any thread."""
        now = time.monotonic()
        if now < self._next:
            self._untold += 1
            return
        more = f" ({self._untold} more warnings since)" if self._untold else ""
        self._next, self._untold = now + self._every_s, 0
        self._warn("%s%s", text, more)
