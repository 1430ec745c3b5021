"""The controls: the given ones where they lie beside the checkout, else our own."""

from __future__ import annotations

from typing import Any

from benchmarks.parts.place import FRESHNESS_TOPIC, ROOT, Place, figures_of

_GIVEN = ROOT.parent / "shared" / "controls"


class Control:
    """One of the controls, run as a process of its own.

    Parameters
    ----------
    name : str
        ``limit`` or ``freshness``.

    Attributes
    ----------
    source : str
        Which file it is.
    """

    def __init__(self, name: str) -> None:
        given = _GIVEN / f"{name}.py"
        self._program = (str(given),) if given.exists() else ("-m", "benchmarks.controls", name)
        self.source = f"../shared/controls/{name}.py" if given.exists() else f"benchmarks.controls {name}"

    def limit(self, place: Place, events: int) -> dict[str, Any]:
        """Return ``events_per_second`` of so many clicks, from the topic's beginning."""
        return self._run(place, "--topic", place.clicks, "--events", events)

    def freshness(self, place: Place, events: int, rate: int) -> dict[str, Any]:
        """Return ``p50_ms`` and ``p99_ms`` at ``rate`` events per second."""
        return self._run(place, "--topic", FRESHNESS_TOPIC, "--events", events, "--rate", rate)

    def _run(self, place: Place, *arguments: object) -> dict[str, Any]:
        return figures_of(*self._program, "--bootstrap", place.bootstrap, "--redis", place.url, *arguments)
