"""How soon a process that has crashed may start again, and when to give it up."""

from __future__ import annotations

# More crashes in turn than it takes to find an event that ends every worker, see streams.applying.attempts.
_PAUSES_S = (0.0, 0.5, 1.0, 2.0, 4.0)
_STEADY_S = 60.0


class Crashes:
    """Counts the crashes in turn of one process; after a life of a minute the next one counts as the first.

    Attributes
    ----------
    in_turn : int
        Crashes so far, each soon after a start.
    """

    def __init__(self) -> None:
        self.in_turn = 0

    def another(self, lived_s: float) -> float | None:
        """Return how long to wait, in seconds, before it starts again; None once it has crashed six times in turn.

        Parameters
        ----------
        lived_s : float
            How long the one that has just crashed had run, in seconds.

        Examples
        --------
        >>> crashes = Crashes()
        >>> [crashes.another(3.0) for _ in range(6)]
        [0.0, 0.5, 1.0, 2.0, 4.0, None]
        """
        self.in_turn = 1 if lived_s > _STEADY_S else self.in_turn + 1
        return _PAUSES_S[self.in_turn - 1] if self.in_turn <= len(_PAUSES_S) else None
