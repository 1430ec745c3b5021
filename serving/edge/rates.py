"""How often a caller may ask: one token bucket for each. Pure."""

from __future__ import annotations

from collections import OrderedDict

KNOWN = 50_000


class Buckets:
    """Token buckets.

    A caller's bucket holds ``burst`` tokens and is filled again at ``per_s``; a request takes one.

    Parameters
    ----------
    per_s : float
        Requests per second; 0 = no limit.
    burst : int
        Requests at once.
    known : int
        Callers that are remembered; beyond it those that have been silent for longest are forgotten, which fills their
        buckets.
    """

    def __init__(self, per_s: float, burst: int, known: int = KNOWN) -> None:
        self._per_s, self._burst, self._known = per_s, float(burst), known
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # caller → tokens, when they were counted

    def take(self, caller: str, now: float) -> float:
        """Take a token.

        Parameters
        ----------
        caller : str
        now : float
            Seconds of a clock that never goes back.

        Returns
        -------
        float
            0.0 = taken; else the seconds until there is one.
        """
        if not self._per_s:
            return 0.0
        tokens, counted = self._buckets.pop(caller, (self._burst, now))
        tokens = min(self._burst, tokens + (now - counted) * self._per_s)
        missing = max(0.0, 1.0 - tokens)
        self._buckets[caller] = (tokens if missing else tokens - 1.0), now
        if len(self._buckets) > self._known:
            self._buckets.popitem(last=False)
        return missing / self._per_s
