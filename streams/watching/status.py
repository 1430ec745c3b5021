"""What a worker says of itself: counts since its start, freshness, quality."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from evaluation.prequential import Prequential
from models.engine import Ranks
from streams.watching.latencies import Latencies
from streams.watching.startup import StartUp


class Histogram:
    """Counts of durations in logarithmic bins of 5 %, so that percentiles cost no memory.

    Bins reach from 0.1 ms to about an hour.
    """

    _BASE = np.log(1.05)

    def __init__(self) -> None:
        self._counts = np.zeros(360, np.int64)

    def add(self, milliseconds: NDArray[np.float64]) -> None:
        """Add durations in ms, shape (n,)."""
        bins = np.log(np.maximum(milliseconds, 0.1) / 0.1) / self._BASE
        self._counts += np.bincount(np.minimum(bins.astype(np.int64), 359), minlength=360)

    @property
    def bins(self) -> dict[str, int]:
        """How many durations lie in each bin that has any."""
        return {str(place): int(self._counts[place]) for place in np.flatnonzero(self._counts)}

    def merge(self, bins: Mapping[str, int], without: Mapping[str, int]) -> None:
        """Add what another histogram's :attr:`bins` have more than they had before."""
        for place, count in bins.items():
            self._counts[int(place)] += count - without.get(place, 0)

    def percentile(self, share: float) -> float | None:
        """Return the duration in ms that a share of all stays below; None without any."""
        total = int(self._counts.sum())
        if not total:
            return None
        place = int(np.searchsorted(np.cumsum(self._counts), share * total))
        return round(float(0.1 * np.exp((place + 0.5) * self._BASE)), 1)


class Status:
    """What has happened in a worker since its start.

    Parameters
    ----------
    start_up : StartUp, optional
        What the start has taken so far.
    """

    def __init__(self, start_up: StartUp | None = None) -> None:
        self.started = time.time()
        self.start_up = start_up or StartUp()
        self.events_applied = 0
        self.events_by_topic: Counter[str] = Counter()
        self.duplicates = 0
        self.untaught = 0
        self.lists_written = 0
        self.described = 0
        self.forgotten = 0
        self.skipped = 0
        self.undone = 0
        self.rekeyed = 0
        self.batches = 0
        self.dead_letters: Counter[str] = Counter()
        self.freshness = Histogram()
        self.freshness_by_partition = Latencies()
        self.writes_by_partition = Latencies()
        self.quality = Prequential()
        self.popularity = Prequential()
        self._list_hits = 0
        self._first = 0.0
        self._last = 0.0

    def observed(
        self, topic: str, events: int, duplicates: int, untaught: int, ranks: Ranks, shown: NDArray[np.bool_]
    ) -> None:
        """Count a batch that was applied.

        Parameters
        ----------
        topic : str
            Full name.
        events, duplicates : int
            New messages in it, and how many of them were repeats of an earlier one.
        untaught : int
            How many events lay beyond what their users may teach in an hour.
        ranks : Ranks
            Of the items chosen.
        shown : ndarray of bool, shape of ``ranks``
            Whether each stood in its user's list.
        """
        self.batches += 1
        self.events_applied += events - duplicates
        self.events_by_topic[topic] += events - duplicates
        self.duplicates += duplicates
        self.untaught += untaught
        self.quality.add(ranks.blend)
        self.popularity.add(ranks.popularity)
        self._list_hits += int(shown.sum())

    def delivered(self, ages: NDArray[np.float64], partitions: NDArray[np.int64], refused: list[str]) -> None:
        """Count a batch whose lists are in Redis.

        Parameters
        ----------
        ages : ndarray of float64, shape (n,)
            Of its events by then, in ms.
        partitions : ndarray of int64, shape (n,)
            Where they lie.
        refused : list of str
            Reasons of its dead letters.
        """
        now = time.time()
        self._first = self._first or now
        self.start_up.done("first event")
        self._last = now
        self.refused(refused)
        self.freshness.add(ages)
        self.freshness_by_partition.add(partitions, ages / 1000)

    def wrote(self, partitions: Iterable[int], seconds: float) -> None:
        """Count a write of the lists of partitions and their watermarks to Redis, repeats included."""
        numbers = np.fromiter(partitions, np.int64)
        self.writes_by_partition.add(numbers, np.full(len(numbers), seconds))

    def refused(self, reasons: list[str]) -> None:
        """Count dead letters by reason."""
        self.dead_letters.update(reasons)

    def report(self, **more: Any) -> dict[str, Any]:
        """Return everything as plain values, with further ones and the time, ms since the epoch."""
        seconds = self._last - self._first
        return {
            "started": round(self.started, 3),
            "start_ms": self.start_up.ms,
            "start_cpu_ms": self.start_up.cpu_ms,
            "events_applied": self.events_applied,
            "events_by_topic": dict(self.events_by_topic),
            "duplicates": self.duplicates,
            "untaught": self.untaught,
            "dead_letters": sum(self.dead_letters.values()),
            "dead_letters_by_reason": dict(self.dead_letters),
            "lists_written": self.lists_written,
            "users_described": self.described,
            "users_forgotten": self.forgotten,
            "events_of_forgotten": self.skipped,
            "items_undone": self.undone,
            "events_rekeyed": self.rekeyed,
            "batches": self.batches,
            "events_per_batch": round(self.events_applied / self.batches, 2) if self.batches else None,
            "events_per_second": round(self.events_applied / seconds, 1) if seconds > 0 else None,
            "freshness_ms_p50": self.freshness.percentile(0.5),
            "freshness_ms_p99": self.freshness.percentile(0.99),
            "freshness_bins": self.freshness.bins,
            "scored": self.quality.scored,
            "hits_at_10": {
                "blend": self.quality.hits,
                "popularity": self.popularity.hits,
                "list": self._list_hits,
            },
            "hit_rate_at_10": round(self.quality.hit_rate, 5),
            "ndcg_at_10": round(self.quality.ndcg, 5),
            "popularity_hit_rate_at_10": round(self.popularity.hit_rate, 5),
            "list_hit_rate_at_10": round(self._list_hits / self.quality.scored, 5) if self.quality.scored else 0.0,
            **more,
            "time": time.time_ns() // 1_000_000,
        }
