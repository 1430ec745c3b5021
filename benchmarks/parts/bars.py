"""What must be reached, what should be, and whether it was."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

Medians = dict[str, dict[str, float]]

EVERY_LIST = 0.99
"""Lists per event below which a run did not measure what it should."""


@dataclass(frozen=True)
class Bar:
    """One bar.

    Parameters
    ----------
    what : str
        In words, with its unit.
    measured : float
    at_most : bool
        Whether less is better.
    must : float
    stretch : float, optional
        What would be better still.
    """

    what: str
    measured: float
    at_most: bool
    must: float
    stretch: float | None = None

    def reaches(self, limit: float | None) -> bool | None:
        """Say whether a limit is kept; None where there is none."""
        if limit is None:
            return None
        return self.measured <= limit if self.at_most else self.measured >= limit

    def plain(self) -> dict[str, Any]:
        """Return it as plain values, with what was reached."""
        return asdict(self) | {"met": self.reaches(self.must), "stretch_met": self.reaches(self.stretch)}


def against_controls(medians: Medians) -> dict[str, dict[str, float]]:
    """Return measurement → its ratio to the control, or by how many ms it is slower."""
    derived: dict[str, dict[str, float]] = {}
    for name in ("clicks", "clicks_together", "ratings"):
        if name in medians:
            ratio = medians[name]["events_per_second"] / medians["control"]["events_per_second"]
            derived[name] = {"ratio_to_control": round(ratio, 4)}
    if "consume_headrace" in medians:
        ours, stock = (medians[name]["messages_per_second"] for name in ("consume_headrace", "consume_faust"))
        derived["consume_headrace"] = {"ratio_to_faust": round(ours / stock, 2)}
    if "freshness" in medians:
        derived["freshness"] = {
            f"{name}_over_control": round(medians["freshness"][name] - medians["freshness_control"][name], 1)
            for name in ("p50_ms", "p99_ms")
        }
    return derived


def bars(medians: Medians, derived: dict[str, dict[str, float]], lists_per_event: float | None) -> list[Bar]:
    """Return the bars of what was measured; ``lists_per_event`` is the fewest of any run of the worker."""
    found = []
    if "clicks" in derived:
        found.append(
            Bar("worker, clicks: share of the control", derived["clicks"]["ratio_to_control"], False, 0.08, 0.2)
        )
    if lists_per_event is not None:
        found.append(Bar("worker: lists per event, fewest", lists_per_event, False, EVERY_LIST))
    if "consume_headrace" in derived:
        times = derived["consume_headrace"]["ratio_to_faust"]
        found.append(Bar("consumer: times stock Faust", times, False, 10.0))
    if "freshness" in medians:
        ours, control = medians["freshness"], medians["freshness_control"]
        found.append(Bar("freshness, p50 in ms", ours["p50_ms"], True, round(control["p50_ms"] + 30, 1), 20.0))
        found.append(Bar("freshness, p99 in ms", ours["p99_ms"], True, round(control["p99_ms"] + 150, 1), 80.0))
    return found
