"""The time of day as it was when the process began, and from then on by a clock that never steps.

For ages: a system clock that is set back by an hour must not make lists an hour old, nor keep them from growing old.
"""

from __future__ import annotations

import time

_BEGAN_MS = time.time_ns() // 1_000_000 - time.monotonic_ns() // 1_000_000


def steady_ms() -> int:
    """Return the present in ms since the epoch, for comparison with earlier values of the same process."""
    return _BEGAN_MS + time.monotonic_ns() // 1_000_000
