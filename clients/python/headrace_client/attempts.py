"""How often something is tried, and how long to wait between: bounded, and as the service asks. Pure but for chance."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from headrace_client.errors import Unreachable, refusal, seconds

AGAIN = frozenset({429, 503})


@dataclass(frozen=True, slots=True)
class Patience:
    """How much may be tried again.

    Attributes
    ----------
    retries : int
        At most so often, after the first time.
    longest_s : float
        Seconds of one wait; where the service asks for more, its refusal is raised instead.
    first_s : float
        Without the service's word, waits lie between 0 and this, doubled each time.
    """

    retries: int = 4
    longest_s: float = 10.0
    first_s: float = 0.1


class Attempts:
    """Decides after each failure: wait so many seconds and try again, or raise.

    Parameters
    ----------
    patience : Patience
    repeatable : bool
        Whether the request may be sent again at all.
    chance : function
        Gives a number in [0, 1).
    """

    def __init__(
        self, patience: Patience, repeatable: bool = True, chance: Callable[[], float] = random.random
    ) -> None:
        self._patience, self._repeatable, self._chance = patience, repeatable, chance
        self._failed = 0

    def reset(self) -> None:
        """Begin anew: it worked."""
        self._failed = 0

    def lost(self, error: Exception) -> float:
        """Return how long to wait after a connection that could not be made, or was lost.

        Raises
        ------
        Unreachable
            When it has been tried often enough.
        """
        if not self._once_more():
            tried = f" after {self._failed} attempts" if self._failed > 1 else ""
            raise Unreachable(f"{type(error).__name__}{tried}: {error}") from error
        return self._pause()

    def refused(self, status: int, body: bytes, headers: Mapping[str, str]) -> float:
        """Return how long to wait after a refusal.

        Raises
        ------
        Refusal
            When waiting does not help, or would last too long, or it has been tried often enough.
        """
        asked = seconds(headers.get("retry-after"))
        if status not in AGAIN or not self._once_more() or (asked or 0.0) > self._patience.longest_s:
            raise refusal(status, body, headers)
        # All who were told the same moment should not come at the same moment.
        return self._pause() if asked is None else min(asked * (1 + 0.1 * self._chance()), self._patience.longest_s)

    def _once_more(self) -> bool:
        self._failed += 1
        return self._repeatable and self._failed <= self._patience.retries

    def _pause(self) -> float:
        # Full jitter: https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
        most = min(self._patience.first_s * 2.0 ** min(self._failed, 30), self._patience.longest_s)
        return most * self._chance()
