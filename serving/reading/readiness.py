"""Whether what is read is being kept fresh. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from serving.reading.values import WorkerStatus

# A worker speaks every second or so; after this silence it has stopped, hangs, or is cut off.
SILENCE_MS = 15_000


def not_ready(statuses: Sequence[WorkerStatus], now: int) -> str | None:
    """Say why answers would not be fresh, or return ``None`` when at least one worker keeps them so.

    Parameters
    ----------
    statuses : sequence of WorkerStatus
        What the workers say of themselves.
    now : int
        ms since the epoch.
    """
    if not statuses:
        return "no worker has reported; start one with `headrace worker`"
    speaking = [status for status in statuses if now - status.time <= SILENCE_MS]
    if not speaking:
        last = max(statuses, key=lambda status: status.time)
        return f"worker {last.worker} last reported {(now - last.time) // 1000} s ago; is it still running?"
    if not any(status.ready for status in speaking):
        return f"worker {speaking[0].worker} is still starting; it is ready once it has read what it missed"
    return None
