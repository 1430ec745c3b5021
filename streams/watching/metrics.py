"""What a worker says of itself, for Prometheus: made when somebody asks, from the report that stands already.

The event path does nothing for it but count durations, a batch at a time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from importlib.metadata import version
from typing import Any

from prometheus_client import CollectorRegistry, ProcessCollector
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from contracts.events import REASONS
from streams.watching.latencies import BOUNDS_S, Latencies
from streams.watching.status import Status

_BOUNDS = (*(str(bound) for bound in BOUNDS_S), "+Inf")

# Of the report → name without its ending, what it is.
_COUNTERS = {
    "duplicates": ("headrace_duplicate_events", "Events that repeat an earlier one."),
    "untaught": ("headrace_untaught_events", "Events beyond what their user may teach in an hour."),
    "events_rekeyed": ("headrace_rekeyed_events", "Events forwarded to their user's partition."),
    "lists_written": ("headrace_lists_written", "Users' lists written to Redis."),
    "batches": ("headrace_batches", "Batches of events applied."),
    "users_described": ("headrace_users_described", "Records of users taken over."),
    "users_forgotten": ("headrace_users_forgotten", "People forgotten on their wish."),
    "scored": ("headrace_scored_events", "Events whose item was ranked before it was learned."),
    "learned": ("headrace_learned_events", "Events folded into the item model."),
    "log_gaps": ("headrace_log_gaps", "Gaps found in the learning log: what they held is lost."),
    "log_skipped": ("headrace_log_skipped", "Records of the learning log that could not be used."),
    "checkpoint_errors": ("headrace_checkpoint_errors", "Checkpoints that could not be written."),
    "rejoined": ("headrace_rejoins", "Times that the worker joined its group anew."),
}
_GAUGES = {
    "ready": ("headrace_ready", "Whether the worker is up."),
    "started": ("headrace_start_time_seconds", "When the worker was started."),
    "partitions": ("headrace_partitions", "Topics' partitions that the worker reads."),
    "waiting_batches": ("headrace_waiting_batches", "Batches whose lists are not written yet."),
    "log_position": ("headrace_log_position", "Position in the learning log up to which the model has learned."),
    "items": ("headrace_items", "Items in the model."),
    "resident_users": ("headrace_cached_users", "Users whose states are in memory."),
}


class WorkerMetrics(Collector):
    """Turns a worker's report into metrics.

    Parameters
    ----------
    said : callable
        Returns what the worker last said of itself; empty before the first time.
    freshness, writes : Latencies
        From an event's time stamp to its list in Redis; of a write to Redis.
    """

    def __init__(self, said: Callable[[], Mapping[str, Any]], freshness: Latencies, writes: Latencies) -> None:
        self._said, self._freshness, self._writes = said, freshness, writes

    def describe(self) -> list[Metric]:
        """Return nothing: names are known when there is a report."""
        return []

    def collect(self) -> Iterator[Metric]:
        """Yield all metrics."""
        said = self._said()
        if not said:
            return
        words = (said["worker"], said["namespace"], version("headrace"))
        yield _labelled(
            GaugeMetricFamily, "headrace_worker_info", "The worker.", ("worker", "namespace", "version"), {words: 1}
        )
        for key, (name, about) in _COUNTERS.items():
            yield CounterMetricFamily(name, about, said[key])
        for key, (name, about) in _GAUGES.items():
            yield GaugeMetricFamily(name, about, float(said[key]))
        yield GaugeMetricFamily(
            "headrace_barrier_age_seconds", "Since everything applied became durable.", said["barrier_age_ms"] / 1000
        )
        yield from _by_topic(said)
        yield from _quality(said)
        yield _histogram("headrace_freshness_seconds", "From an event's time stamp to its list.", self._freshness)
        yield _histogram("headrace_write_seconds", "Of a write of lists and watermarks to Redis.", self._writes)


def registry(said: Callable[[], Mapping[str, Any]], status: Status) -> CollectorRegistry:
    """Return all metrics of a worker and its process."""
    made = CollectorRegistry()
    made.register(WorkerMetrics(said, status.freshness_by_partition, status.writes_by_partition))
    ProcessCollector(registry=made)
    return made


def _by_topic(said: Mapping[str, Any]) -> Iterator[Metric]:
    yield _labelled(
        CounterMetricFamily, "headrace_events", "Events applied.", ("topic",),
        {(topic,): count for topic, count in said["events_by_topic"].items()},
    )  # fmt: skip
    yield _labelled(
        CounterMetricFamily, "headrace_dead_letters", "Messages that could not be used.", ("reason",),
        # From 0 on, because Prometheus sees no increase in a count that begins at 1.
        {(reason,): count for reason, count in (dict.fromkeys(REASONS, 0) | said["dead_letters_by_reason"]).items()},
    )  # fmt: skip
    lags = {tuple(place.rsplit("/", 1)): lag for place, lag in said["lags"].items()}
    yield _labelled(GaugeMetricFamily, "headrace_lag_events", "Events to be read.", ("topic", "partition"), lags)


def _quality(said: Mapping[str, Any]) -> Iterator[Metric]:
    """Yield hits, whose rate over that of the scored events is the hit rate of any span, and how each scorer does."""
    yield _labelled(
        CounterMetricFamily, "headrace_hits_at_10", "Scored events whose item was among the first ten.", ("ranking",),
        {(ranking,): hits for ranking, hits in said["hits_at_10"].items()},
    )  # fmt: skip
    scorers = said["scorers"]
    yield _labelled(
        GaugeMetricFamily, "headrace_scorer_hit_rate", "Hit rate at 10 since its last change.", ("scorer",),
        {(scorer,): found["hit_rate_at_10"] for scorer, found in scorers.items()},
    )  # fmt: skip
    yield _labelled(
        CounterMetricFamily, "headrace_drift_alarms", "Changes of a scorer's hit rate.", ("scorer",),
        {(scorer,): found["alarms"] for scorer, found in scorers.items()},
    )  # fmt: skip
    weights: dict[tuple[str, ...], float] = {
        (scorer, context): weight
        for scorer, found in scorers.items()
        for context, weight in found.get("weights", {}).items()
    }
    yield _labelled(
        GaugeMetricFamily,
        "headrace_scorer_weight",
        "How much the blend heeds it.",
        ("scorer", "context"),
        weights,
    )


def _labelled(
    kind: type[CounterMetricFamily | GaugeMetricFamily],
    name: str,
    about: str,
    labels: tuple[str, ...],
    values: Mapping[tuple[str, ...], float],
) -> Metric:
    family = kind(name, about, labels=labels)
    for words, value in values.items():
        family.add_metric(words, value)
    return family


def _histogram(name: str, about: str, of: Latencies) -> Metric:
    family = HistogramMetricFamily(name, about, labels=("partition",))
    for partition, counts, total in of.snapshot():
        family.add_metric((str(partition),), list(zip(_BOUNDS, counts.tolist(), strict=True)), total)
    return family
