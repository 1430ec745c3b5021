"""The pulse of a namespace: what all its workers did in each of the last intervals, as the live page draws it.

Workers report counts that only grow. The owner of partition 0 reads the reports of all of them every few seconds and
writes down by how much they grew, so that whoever opens the page sees the last minutes at once.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Mapping
from typing import Any

import orjson

from contracts.redis import BEAT_MS
from streams.watching.health import SILENT_S
from streams.watching.status import Histogram

_EVERY_S = BEAT_MS / 1000
_EARLY_S = 0.2  # asked once a second, a beat must not wait for a third turn
_COUNTS = ("events_applied", "lists_written", "dead_letters", "scored")
_WANTED = {*_COUNTS, "started", "hits_at_10", "freshness_bins", "lag", "coverage", "scorers"}
_Report = Mapping[str, Any]


class Pulse:
    """Turns workers' reports into beats.

    A worker that is new, or was started anew, counts from its next report on: what it did before belongs to no interval
    that is known here.
    """

    def __init__(self) -> None:
        self._before: dict[str, _Report] = {}
        self._last = 0.0  # beat, monotonic seconds

    @property
    def due(self) -> bool:
        """Whether the next beat is due."""
        return time.monotonic() >= self._last + _EVERY_S - _EARLY_S

    def beat(self, reports: Mapping[str, _Report], now: int) -> bytes | None:
        """Return one beat as JSON, from the reports of all workers by name; None for the first.

        Parameters
        ----------
        reports : mapping of str to dict
            See :mod:`streams.watching.status`.
        now : int
            ms since the epoch.
        """
        first, self._last = not self._last, time.monotonic()
        # One of another version, which says less, is left out.
        alive = {
            name: report
            for name, report in reports.items()
            if now - report["time"] <= SILENT_S * 1000 and report.keys() >= _WANTED
        }
        before, self._before = self._before, alive
        if first:
            return None
        grown: Counter[str] = Counter()
        hits: Counter[str] = Counter()
        ages, spans = Histogram(), []
        for name, report in alive.items():
            last = before.get(name)
            if last is not None and last["started"] == report["started"] and report["time"] > last["time"]:
                spans.append(report["time"] - last["time"])
                grown.update({count: report[count] - last[count] for count in _COUNTS})
                hits.update({of: n - last["hits_at_10"][of] for of, n in report["hits_at_10"].items()})
                ages.merge(report["freshness_bins"], last["freshness_bins"])
        return orjson.dumps(
            {
                "time": now,
                # Between the reports, which come when they come; of several workers the mean.
                "seconds": sum(spans) / len(spans) / 1000 if spans else _EVERY_S,
                "events": grown["events_applied"],
                "lists": grown["lists_written"],
                "dead_letters": grown["dead_letters"],
                "scored": grown["scored"],
                "hits": dict(hits),
                "freshness_ms_p50": ages.percentile(0.5),
                "freshness_ms_p99": ages.percentile(0.99),
                "lag": sum(report["lag"] or 0 for report in alive.values()),
                # Of the worker that shows most: the items that several show cannot be told apart here.
                "coverage": max((report["coverage"] for report in alive.values()), default=0.0),
                "alarms": max((sum(_alarms(report).values()) for report in alive.values()), default=0),
                "workers": len(alive),
            }
        )


def _alarms(report: _Report) -> dict[str, int]:
    return {name: scorer["alarms"] for name, scorer in report["scorers"].items()}
