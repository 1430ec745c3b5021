"""How long a worker's start took, part by part: from the process to the first event's list in the store."""

from __future__ import annotations

import os
import time
from pathlib import Path

_STARTED_AT = 19  # in /proc/self/stat, counted from the field after the name


class StartUp:
    """Notes when each part was done.

    Attributes
    ----------
    ms : dict of str to int
        Part → milliseconds since the part before it was done. The first counts from the start of the process where the
        system says when that was.
    cpu_ms : dict of str to int
        Part → milliseconds of a core that the process used meanwhile: what a quiet machine would take of it.
    """

    def __init__(self) -> None:
        self._last = time.monotonic() - _age_s()
        self._used = 0.0
        self.ms: dict[str, int] = {}
        self.cpu_ms: dict[str, int] = {}

    def done(self, part: str) -> None:
        """Note that a part is done; only its first time counts."""
        if part not in self.ms:
            now, used = time.monotonic(), time.process_time()
            self.ms[part] = round((now - self._last) * 1000)
            self.cpu_ms[part] = round((used - self._used) * 1000)
            self._last, self._used = now, used


def _age_s() -> float:
    """Return for how long this process has run, in s; 0 where the system does not say."""
    try:
        stat = Path("/proc/self/stat").read_text()
    except OSError:
        return 0.0
    ticks = int(stat.rpartition(")")[2].split()[_STARTED_AT])
    return time.clock_gettime(time.CLOCK_BOOTTIME) - ticks / os.sysconf("SC_CLK_TCK")
