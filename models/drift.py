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
from river.drift import ADWIN

from models.combine import SCORERS

NAMES = (*SCORERS, "blend")
_SURENESS = 0.002  # chance of a false alarm at each look, by ADWIN's bound


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
        self._windows = [ADWIN(delta=_SURENESS, clock=1, min_window_length=8, grace_period=16) for _ in NAMES]
        self.alarms = np.zeros(len(NAMES), np.int64)

    @property
    def rates(self) -> NDArray[np.float64]:
        """The hit rates, shape (len(NAMES),)."""
        return np.array([window.estimation for window in self._windows])

    def update(self, rates: NDArray[np.float64]) -> list[int]:
        """Take in a hit rate of each; return which scorers changed, the blend not among them."""
        changed = []
        for index, (window, rate) in enumerate(zip(self._windows, rates.tolist(), strict=True)):
            window.update(rate)
            if window.drift_detected:
                self.alarms[index] += 1
                if index < len(SCORERS):
                    changed.append(index)
        return changed

    def state(self) -> dict[str, Any]:
        """Return what a checkpoint must hold; the windows as a pickle, bound to River's version."""
        return {"windows": pickle.dumps(self._windows, protocol=5), "alarms": self.alarms.copy()}

    def restore(self, state: dict[str, Any]) -> None:
        """Take over :meth:`state`. The bytes come from our own checkpoints only."""
        self._windows = pickle.loads(state["windows"])
        self.alarms = state["alarms"].copy()
