"""What is measured on the event path: each method is one run and returns its raw figures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.parts.control import Control
from benchmarks.parts.place import PLAIN_TOPIC, Place, figures_of
from benchmarks.parts.stream import Stream
from benchmarks.parts.worker import running_worker, with_settings
from contracts.events import encode
from infra.settings import Settings

Measure = Callable[[], dict[str, Any]]

_FAUST_MESSAGES = 15_000  # enough for seconds, and Faust would take long for more


@dataclass
class Sizes:
    """How much is measured.

    Parameters
    ----------
    events : int
        Of a timed run.
    warm_up : int
        Events that the model has learned before.
    rate : int
        Events per second, for freshness.
    seconds : int
        How long that rate is kept.
    """

    events: int
    warm_up: int
    rate: int
    seconds: int


class Measures:
    """The runs, all on the same broker and store and with the same model, which goes on learning from run to run.

    Parameters
    ----------
    place : Place
    stream : Stream
        Every run of the worker takes the next stretch of it.
    sizes : Sizes
    """

    def __init__(self, place: Place, stream: Stream, sizes: Sizes) -> None:
        self._place, self._stream, self._sizes = place, stream, sizes
        self._limit, self._freshness = Control("limit"), Control("freshness")
        self._next = 0
        self.sources = {"limit": self._limit.source, "freshness": self._freshness.source}

    def prepare(self, parts: tuple[str, ...]) -> None:
        """Publish the events before the timed ones, and have the worker learn them where it is measured."""
        warm_up = max(self._sizes.warm_up, self._sizes.events)
        self._place.publish(self._stream.items)
        self._place.publish(self._stream.clicks(self._take(warm_up), warm_up))
        if "consume" in parts:
            self._place.publish_plain(self._stream.clicks(0, self._sizes.events))
        if "worker" in parts or "freshness" in parts:
            self._catch_up(warm_up)

    def of(self, part: str) -> dict[str, Measure]:
        """Return the runs of a part in their order: name → run."""
        return {
            "worker": {
                "control": self.control,
                "clicks": self.clicks,
                "clicks_together": self.clicks_together,
                "ratings": self.ratings,
            },
            "consume": {"consume_headrace": self.consume_headrace, "consume_faust": self.consume_faust},
            "freshness": {"freshness_control": self.freshness_control, "freshness": self.freshness},
        }[part]

    def control(self) -> dict[str, Any]:
        """Consume, decode and set a constant value per event."""
        return self._limit.limit(self._place, self._sizes.events)

    def clicks(self) -> dict[str, Any]:
        """Let the worker apply clicks."""
        n = self._sizes.events
        self._place.publish(self._stream.clicks(self._take(n), n))
        return self._catch_up(n)

    def clicks_together(self) -> dict[str, Any]:
        """Let the worker apply clicks with batches that share their lists."""
        n = self._sizes.events
        self._place.publish(self._stream.clicks(self._take(n), n))
        return self._catch_up(n, Settings().worker.lists_together)

    def ratings(self) -> dict[str, Any]:
        """Let the worker apply ratings: River learns too, and lists carry predicted ratings."""
        n = self._sizes.events
        self._place.publish(self._stream.ratings(self._take(n), n))
        return self._catch_up(n)

    def consume_headrace(self) -> dict[str, Any]:
        """Decode and group behind our own consumer."""
        return figures_of(
            "-m", "benchmarks.parts.consume_headrace", self._place.bootstrap, PLAIN_TOPIC, self._sizes.events
        )

    def consume_faust(self) -> dict[str, Any]:
        """Decode and group behind Faust's consumer."""
        return self._consume("consume_faust", min(_FAUST_MESSAGES, self._sizes.events))

    def freshness_control(self) -> dict[str, Any]:
        """Produce, consume and set at a steady rate."""
        return self._freshness.freshness(self._place, self._sizes.rate * self._sizes.seconds, self._sizes.rate)

    def freshness(self) -> dict[str, Any]:
        """Produce at a steady rate while the worker runs; a fresh worker, so that its percentiles are of this alone."""
        n = self._sizes.rate * self._sizes.seconds
        file = self._place.settings.home_dir / "steady.jsonl"
        file.write_bytes(b"\n".join(map(encode, self._stream.clicks(self._take(n), n))))
        with running_worker(self._place.settings) as worker:
            sent = figures_of(
                "-m", "benchmarks.parts.steady", self._place.bootstrap, self._place.clicks, self._sizes.rate, file
            )
            status = worker.wait_until_done(n)
        return {
            "p50_ms": status["freshness_ms_p50"],
            "p99_ms": status["freshness_ms_p99"],
            "events_per_second": sent["events_per_second"],
            **_of_worker(status),
        }

    def _catch_up(self, events: int, together: int = 1) -> dict[str, Any]:
        """Start a worker on events that were published while none ran, and let it catch up."""
        # Lists made anew without an event would be counted as if there had been one.
        worked = {"freshened_per_s": 0, "lists_together": together}
        with running_worker(with_settings(self._place.settings, worker=worked)) as worker:
            status = worker.wait_until_done(events)
        # It takes its time from the first batch delivered to the last, so the events of the first do not count.
        counted = 1 - 1 / status["batches"]
        rate = round(status["events_per_second"] * counted)
        lists = round(status["lists_written"] / status["events_applied"], 4)
        return {"events_per_second": rate, "lists_per_event": lists, **_of_worker(status)}

    def _consume(self, program: str, messages: int) -> dict[str, Any]:
        return figures_of("-m", f"benchmarks.parts.{program}", self._place.bootstrap, PLAIN_TOPIC, messages)

    def _take(self, n: int) -> int:
        first, self._next = self._next, self._next + n
        return first


def _of_worker(status: dict[str, Any]) -> dict[str, Any]:
    events = status["events_applied"]
    return {
        "events": events,
        "events_per_batch": status["events_per_batch"],
        "cpu_us_per_event": round(status["cpu_s"] / events * 1e6, 1),
        "items": status["items"],
        "hit_rate_at_10": status["hit_rate_at_10"],
        "log_gaps": status["log_gaps"],
        "dead_letters": status["dead_letters"],
    }
