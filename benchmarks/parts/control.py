"""The controls: the given ones where they lie beside the checkout, else our own."""

from __future__ import annotations

from parts.place import CONTROL_TOPIC, ROOT, Place

_GIVEN = ROOT.parent / "shared" / "controls"
_OWN = ROOT / "benchmarks" / "controls.py"


class Control:
    """One of the controls, run as a process of its own.

    Parameters
    ----------
    name : str
        ``limit`` or ``freshness``.
    """

    def __init__(self, name: str) -> None:
        given = _GIVEN / f"{name}.py"
        self._program: tuple[str, ...] = (str(given),) if given.exists() else (str(_OWN), name)
        self.source = f"../shared/controls/{name}.py" if given.exists() else f"benchmarks/controls.py {name}"

    def limit(self, place: Place, events: int) -> dict[str, float]:
        """Return ``events_per_second`` of reading so many clicks from the topic's beginning."""
        return self._run(place, "--topic", place.clicks, "--events", events)

    def freshness(self, place: Place, events: int, rate: int) -> dict[str, float]:
        """Return ``p50_ms`` and ``p99_ms`` at ``rate`` events per second."""
        return self._run(place, "--topic", CONTROL_TOPIC, "--events", events, "--rate", rate)

    def _run(self, place: Place, *arguments: object) -> dict[str, float]:
        settings = place.settings
        return place.measure(
            *self._program, "--bootstrap", settings.kafka.bootstrap, "--redis", settings.redis.url, *arguments
        )
