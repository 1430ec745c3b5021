"""The evaluations behind every claim on quality: what ``headrace evaluate`` is asked for, under permanent names."""

from __future__ import annotations

from dataclasses import dataclass

from evaluation.contenders import OF_THE_ENGINE, RIVER

SEEDS, FEW_SEEDS = "0,1,2,3,4", "0,1,2"
SIMPLE = ("popularity", "popularity-100", "popularity-7d", "recency", "item-cosine", "session-knn", *RIVER)
LAGS = (0, 20, 200, 1000)
PACES = (0, 20, 40, 80)
"""How many events learning is behind, beside a worker that is fed at a steady rate."""
REPLICAS = (1, 2, 4)
CUTS = (0.7, 0.75, 0.8, 0.85, 0.9)
REGIMES = ("dense", "sessions", "news")
SETS = {"ml-1m": 10, "ml-100k": 1, "ml-latest-small": 4, "online-retail": 10}
"""Data set of protocol P → each so many events are ranked."""


@dataclass(frozen=True)
class Job:
    """One evaluation.

    Parameters
    ----------
    name : str
        Permanent: what is measured, a slash, on which data.
    data : str
        Folder of a data set, or the name of a simulation.
    arguments : tuple of str
        Of ``headrace evaluate``, without the data and the output.
    minutes : float
        About how long it takes on one core; the longest begin first.
    """

    name: str
    data: str
    arguments: tuple[str, ...]
    minutes: float

    @property
    def simulated(self) -> bool:
        """Whether no folder is needed."""
        return self.data.startswith("simulated:")


def jobs() -> list[Job]:
    """Return all evaluations, the longest first."""
    ours, all_models = ",".join(OF_THE_ENGINE), ",".join((*OF_THE_ENGINE, *SIMPLE))
    timely = ",".join(("blend", "popularity", "popularity-7d"))
    minutes = {"ml-1m": 10.0, "ml-100k": 6.0, "ml-latest-small": 4.0, "online-retail": 5.0}
    found = [
        _job("protocol-p", data, minutes[data], "--every", every, "--seed", SEEDS, "--model", all_models)
        for data, every in SETS.items()
    ]
    for regime, every in zip(REGIMES, (2, 4, 2), strict=True):
        data = f"simulated:{regime}"
        found.append(_job("regime", data, 4.0, "--every", every, "--seed", FEW_SEEDS, "--model", all_models))
    temporal = ("--protocol", "temporal", "--cut", ",".join(map(str, CUTS)), "--live", "--model", timely)
    found += [
        _job("frozen", "ml-1m", 3.0, *temporal, "--seed", FEW_SEEDS),
        _job("frozen-with-newcomers", "ml-1m", 1.2, *temporal, "--newcomers"),
        _job("leave-one-out", "ml-1m", 2.5, "--protocol", "leave-one-out", "--model", timely, "--seed", FEW_SEEDS),
        _job("ratings", "ml-100k", 0.5, "--model", "ratings", "--seed", SEEDS),
        _job("liked-only", "ml-1m", 1.5, "--every", 10, "--min-rating", 4, "--model", all_models),
        _job("repeats", "online-retail", 1.5, "--every", 20, "--repeats", "--model", f"{all_models},repeat-recency"),
    ]
    cold = ("--protocol", "cold-items", "--every", 50, "--seed", "0,1", "--model", "blend,embeddings")
    found += [_job("cold-items", data, 2.0, *cold) for data in ("ml-1m", "online-retail")]
    for lag in PACES:
        pace = ("--every", 1, "--warmup", 0, "--lag", lag, "--model", "blend")
        found.append(_job(f"pace-{lag}", "ml-100k", 0.8, *pace))
    for replicas in REPLICAS:
        shared = ("--every", 20, "--lag", 40, "--replicas", replicas, "--model", "blend")
        found.append(_job(f"replicas-{replicas}", "ml-1m", 1.0, *shared))
    for data in ("ml-1m", "online-retail"):
        newcomers = ("--protocol", "second-event", "--model", timely, "--seed", FEW_SEEDS)
        found.append(_job("second-event", data, 2.0, *newcomers))
        found.append(_job("shuffle", data, 1.0, "--every", 40, "--shuffle", "--model", ours))
        for lag in LAGS:
            found.append(_job(f"lag-{lag}", data, 0.8, "--every", 20, "--lag", lag, "--model", ours))
    return sorted(found, key=lambda job: -job.minutes)


def _job(what: str, data: str, minutes: float, *arguments: object) -> Job:
    return Job(f"{what}/{data.removeprefix('simulated:')}", data, tuple(map(str, arguments)), minutes)
