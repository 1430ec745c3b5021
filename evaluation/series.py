"""Quality over time: day by day, and over a window of ranked events that slides through the stream."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

_DAY_MS = 24 * 3600 * 1000
_POINTS = 200  # of a sliding series: as many as a plot can show
_SHARE = 20  # a window is this part of all ranked events, unless it is given

Floats = NDArray[np.float64]


def by_day(time: NDArray[np.int64], values: Floats) -> dict[str, Any]:
    """Return the means of each day (UTC) on which something was ranked.

    Parameters
    ----------
    time : ndarray, shape (m,)
        ms since the epoch.
    values : ndarray, shape (m, c)
        One row per ranked event.

    Returns
    -------
    dict
        ``"day"`` (ISO dates), ``"events"`` and ``"values"`` (days, c).
    """
    days, code, events = np.unique(time // _DAY_MS, return_inverse=True, return_counts=True)
    sums = np.column_stack([np.bincount(code, weights=column, minlength=len(days)) for column in values.T])
    dates = days.astype("datetime64[D]").astype(str).tolist()
    return {"day": dates, "events": events.tolist(), "values": sums / events[:, None]}


def sliding(event: NDArray[np.int64], time: NDArray[np.int64], values: Floats, window: int | None) -> dict[str, Any]:
    """Return the means over the last ``window`` ranked events, at evenly spaced ones of them.

    Parameters
    ----------
    event, time : ndarray, shape (m,)
        Position in the stream and time of each ranked event.
    values : ndarray, shape (m, c)
    window : int or None
        A twentieth of all ranked events when not given.

    Returns
    -------
    dict
        ``"window"``, and ``"event"``, ``"time"`` and ``"values"`` (points, c) at each window's end.
    """
    m = len(event)
    window = min(m, window or max(1, m // _SHARE))
    sums = np.vstack([np.zeros(values.shape[1]), np.cumsum(values, axis=0)])
    ends = np.unique(np.linspace(window, m, _POINTS).astype(np.int64)) if m else np.zeros(0, np.int64)
    means = (sums[ends] - sums[ends - window]) / max(window, 1)
    return {"window": window, "event": event[ends - 1].tolist(), "time": time[ends - 1].tolist(), "values": means}
