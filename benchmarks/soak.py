"""A worker under a steady load for half an hour, new users and items all the time: does its memory stay level?

    python -m benchmarks.soak [--minutes 30] [--rate 1000] [--json OUT]

Users who are silent for a few minutes leave Redis and items that nobody chooses leave the model, so that what takes
months in a shop takes minutes here. After the warm-up neither the worker's memory nor Redis' may grow, and at the end
no event may wait.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np
import orjson

from benchmarks.parts.machine import load, machine, versions
from benchmarks.parts.place import ROOT, Place, environment, temporary_place
from benchmarks.parts.worker import Worker, running_worker, with_settings
from infra.errors import HeadraceError
from infra.redis import connect

_SAMPLE_S = 5.0
_IDLE_S = 240.0  # of a user, until he leaves Redis; an eighth of a shorter run
_ITEM_IDLE_S = 300.0
_RESIDENT = 10_000
_DAY_S = 86_400
_MB = 1e6
_LEVEL = 0.05


class Sample(msgspec.Struct):
    """One look: seconds since the start, events applied, lag, memory in MB of worker and Redis, what they hold."""

    second: float
    events: int
    lag: int
    worker_mb: float
    redis_mb: float
    keys: int
    items: int
    resident_users: int


@click.command(help=__doc__.split("\n")[0])
@click.option("--minutes", type=click.FloatRange(min=0.5), default=30.0, show_default=True)
@click.option("--rate", type=click.IntRange(min=1), default=1000, show_default=True, help="Events per second.")
@click.option("--json", "out", type=click.Path(dir_okay=False, path_type=Path), help="Write all figures to a file.")
def main(minutes: float, rate: int, out: Path | None) -> None:
    try:
        with temporary_place() as place:
            figures = _soak(place, minutes * 60, rate)
    except HeadraceError as error:
        raise click.ClickException(str(error)) from error
    for bar in figures["bars"]:
        click.echo(f"{'met' if bar['met'] else 'MISSED':6}  {bar['what']}: {bar['measured']} ≤ {bar['must']}")
    if out:
        out.write_bytes(orjson.dumps(figures, option=orjson.OPT_INDENT_2))
    sys.exit(0 if all(bar["met"] for bar in figures["bars"]) else 1)


def _soak(place: Place, seconds: float, rate: int) -> dict[str, Any]:
    idle_days, item_idle_days = min(_IDLE_S, seconds / 8) / _DAY_S, min(_ITEM_IDLE_S, seconds / 6) / _DAY_S
    changed: dict[str, dict[str, Any]] = {
        "worker": {"resident_users": _RESIDENT, "list_days": idle_days, "state_days": idle_days},
        "catalogue": {"idle_days": item_idle_days},
        "model": {"checkpoint_s": 60},
    }
    store: Any = connect(place.url)
    with running_worker(with_settings(place.settings, **changed)) as worker:
        command = [sys.executable, "-m", "benchmarks.parts.soak_stream", place.bootstrap, str(rate), str(seconds)]
        source = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment(), cwd=ROOT)
        began, samples = time.monotonic(), list[Sample]()
        try:
            while source.poll() is None:
                time.sleep(_SAMPLE_S)
                samples.append(_look(worker, store, time.monotonic() - began))
                click.secho(_line(samples[-1]), dim=True, err=True)
        finally:
            source.kill()
        assert source.stdout
        published = orjson.loads(source.stdout.read().strip().splitlines()[-1])
        status = worker.wait_until_done(published["events"])
    return {
        "machine": machine() | {"load": load()},
        "versions": versions(place.url),
        "settings": {"minutes": seconds / 60, "rate": rate, **changed},
        "published": published,
        "freshness_ms": [status["freshness_ms_p50"], status["freshness_ms_p99"]],
        "lag_at_the_end": status["lag"],
        "curve": msgspec.to_builtins(samples),
        "bars": _bars(samples, status),
    }


def _look(worker: Worker, store: Any, second: float) -> Sample:
    status = worker.status()
    return Sample(
        second=round(second, 1),
        events=status["events_applied"],
        lag=status["lag"],
        worker_mb=worker.resident_mb(),
        redis_mb=round(store.info("memory")["used_memory"] / _MB, 1),
        keys=store.dbsize(),
        items=status["items"],
        resident_users=status["resident_users"],
    )


def _line(sample: Sample) -> str:
    return (
        f"{sample.second:6.0f} s  {sample.events:,} events, lag {sample.lag:,}, worker {sample.worker_mb:.0f} MB, "
        f"Redis {sample.redis_mb:.0f} MB, {sample.keys:,} keys, {sample.items:,} items"
    )


def _bars(samples: list[Sample], status: dict[str, Any]) -> list[dict[str, Any]]:
    """Compare the last third's memory with the third before: a straight line through both must not rise."""
    later = samples[len(samples) // 3 :]
    bars = [{"what": "lag at the end, events", "measured": status["lag"], "must": 0, "met": status["lag"] == 0}]
    for name, what in (("worker_mb", "worker"), ("redis_mb", "Redis")):
        values = np.array([getattr(sample, name) for sample in later])
        half = len(values) // 2
        growth = float(np.median(values[half:]) / np.median(values[:half]) - 1)
        what = f"{what}: growth of memory from the second third to the last"
        bars.append({"what": what, "measured": round(growth, 4), "must": _LEVEL, "met": growth <= _LEVEL})
    return bars


if __name__ == "__main__":
    main()
