"""Notices when a scorer becomes better or worse at what visitors choose: River's ADWIN on each scorer's live hit rate.

The fold ranks the items of some events under every scorer. A hit rate of a few dozen such rankings at a time goes to
one ADWIN for each scorer; a change that it is sure of is an alarm, which the worker reports.

References
----------
Bifet, Gavaldà: Learning from Time-Changing Data with Adaptive Windowing. SDM 2007.
"""

from __future__ import annotations

import pickle
from typing import Any

import numpy as np
from numpy.typing import NDArray
from river._river_rust.drift import AdaptiveWindowing

from models.combine import SCORERS
from models.scorers.audiences import AUDIENCES

NAMES = (*SCORERS, "blend")
_SURENESS = 0.002  # chance of a false alarm at each look, by ADWIN's bound
_BUCKETS = 5  # of each size, River's default


class Window:
    """River's ADWIN without ``river.drift``, whose other detectors load SciPy's statistics: a second of every start."""

    def __init__(self) -> None:
        self._window, self._changed = _empty(), False

    @property
    def mean(self) -> float:
        """The mean since the last change; 0 of an empty window."""
        width = self._window.get_width()
        return float(self._window.get_total() / width) if width else 0.0

    def update(self, value: float) -> bool:
        """Take in a value; return whether it is now sure that the mean has changed."""
        if self._changed:
            self._window = _empty()
        self._changed = bool(self._window.update(value))
        return self._changed


def _empty() -> AdaptiveWindowing:
    return AdaptiveWindowing(delta=_SURENESS, clock=1, max_buckets=_BUCKETS, min_window_length=8, grace_period=16)


class Drift:
    """One ADWIN for each scorer and the blend.

    Attributes
    ----------
    alarms : ndarray of int64, shape (len(NAMES),)
        Alarms so far.
    rates : ndarray of float64, shape (len(NAMES),)
        Hit rate at 10 of each, over its window since the last change.
    """

    def __init__(self) -> None:
        self._windows = [Window() for _ in NAMES]
        self.alarms = np.zeros(len(NAMES), np.int64)

    @property
    def rates(self) -> NDArray[np.float64]:
        """The hit rates, shape (len(NAMES),)."""
        return np.array([window.mean for window in self._windows])

    def update(self, rates: NDArray[np.float64]) -> None:
        """Take in a hit rate of each."""
        for index, (window, rate) in enumerate(zip(self._windows, rates.tolist(), strict=True)):
            self.alarms[index] += window.update(rate)

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint must hold; the windows as a pickle, bound to River's version."""
        return {"windows": pickle.dumps(self._windows, protocol=5), "alarms": self.alarms.copy()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over :meth:`state`; in format 3 there are no audiences. The bytes come from our own checkpoints only."""
        known = [len(state["alarms"]) == len(NAMES) or name not in AUDIENCES for name in NAMES]
        for index, window in zip(np.flatnonzero(known), pickle.loads(state["windows"]), strict=True):
            self._windows[index] = window
        self.alarms[known] = state["alarms"]
