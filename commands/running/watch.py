"""Looking on while events are published and applied, until there is nothing left to wait for."""

from __future__ import annotations

import math
import time

from commands.running.background import Publishing
from commands.running.deployment import Deployment
from commands.running.live import LiveView, Moment
from streams.publishing.goal import Goal

_LOOK_S = 0.5  # as often as the worker reports
_REST_S = 5.0  # for what was published by the end of the time to be applied


class Watch:
    """Looks on and shows it.

    Parameters
    ----------
    deployment : Deployment
    publishing : Publishing
    view : LiveView
    duration : float
        Seconds after which the publishing is ended, infinity for no end.

    Attributes
    ----------
    first_list_at : float or None
        When the worker first reported a list, monotonic seconds.
    seconds : float
        Since the publishing began.
    """

    def __init__(self, deployment: Deployment, publishing: Publishing, view: LiveView, duration: float) -> None:
        self._deployment, self._publishing, self._view = deployment, publishing, view
        self._duration = duration
        self._goal: Goal | None = None
        self.first_list_at: float | None = None
        self.seconds = 0.0

    def to_the_end(self) -> None:
        """Return when all is published and applied, or when the time is over.

        Raises
        ------
        HeadraceError
            When worker, broker or store end, or the data set cannot be published.
        """
        while not self._is_over():
            time.sleep(_LOOK_S)

    def _is_over(self) -> bool:
        self._deployment.check()
        report = self._deployment.report()
        if self.first_list_at is None and report["lists_written"]:
            self.first_list_at = time.monotonic()
        self.seconds = self._publishing.seconds
        counts, size, speed = self._publishing.counts, self._publishing.size, self._publishing.speed
        self._view.show(Moment(self._publishing.name, counts.rows, size, speed, self._left(), report))
        if not (self._publishing.done or self.seconds > self._duration):
            return False
        self._publishing.finish()
        self._goal = self._goal or Goal(self._deployment.settings)
        return self.seconds > self._duration + _REST_S or not self._goal.remaining(report["applied"])

    def _left(self) -> float | None:
        """Return about how many seconds of publishing are left, None when that cannot be known or none are."""
        publishing = self._publishing
        if publishing.done:
            return None
        if self._duration < math.inf:
            return self._duration - self.seconds
        if publishing.size is None or not publishing.speed:
            return None
        return (publishing.size - publishing.counts.rows) / publishing.speed
