"""How good the recommendations are: every claim, from one command.

    python -m benchmarks.quality --data FOLDER --json benchmarks/results/quality.json
    python -m benchmarks.results      # writes docs/results.md from it

Each evaluation is a run of ``headrace evaluate`` in a process of its own, two at a time. What is done is kept in the
output: a run that was interrupted goes on, and after a change of the code everything is measured again. Data sets that
are not in the folder are named and left out, and the exit code says so.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from benchmarks.parts.machine import machine
from benchmarks.parts.place import ROOT
from benchmarks.parts.quality_bars import bars
from benchmarks.parts.quality_jobs import Job, jobs
from benchmarks.parts.sources import of_evaluations

_KEPT = ("rows", "comparisons", "stream", "settings", "versions", "seconds")
_DIGITS = 6


class Results:
    """The output: results by job, written after each of them."""

    def __init__(self, path: Path) -> None:
        self._path, self._sources, self._lock = path, of_evaluations(), threading.Lock()
        self._done: dict[str, Any] = orjson.loads(path.read_bytes())["jobs"] if path.exists() else {}

    def has(self, job: Job) -> bool:
        """Return whether a job was done with the same arguments and the same code."""
        done = self._done.get(job.name)
        return done is not None and (done["arguments"], done["sources"]) == (_shown(job), self._sources)

    def add(self, job: Job, result: dict[str, Any], seconds: float) -> None:
        """Keep a job's result, and what follows from all results of this code.

        Raises
        ------
        RuntimeError
            When the code was changed in the meantime: nobody could say which of it was measured.
        """
        if of_evaluations() != self._sources:
            raise RuntimeError(f"{job.name}: the code was changed while it ran; run it again")
        kept = {name: result[name] for name in _KEPT}
        done = {"arguments": _shown(job), "sources": self._sources, "wall_s": seconds, "result": kept}
        with self._lock:
            self._done[job.name] = _rounded(done)
            self._write()

    def bars(self) -> list[dict[str, Any]]:
        """Return what must be reached and whether it is, by the newest result of each job."""
        return bars({name: done["result"] for name, done in self._done.items()})

    def _write(self) -> None:
        found = {
            "machine": machine(),
            "bars": _rounded(self.bars()),
            "jobs": dict(sorted(self._done.items())),
        }
        new = self._path.with_name(f"{self._path.name}.new")
        new.write_bytes(orjson.dumps(found, option=orjson.OPT_APPEND_NEWLINE))
        new.replace(self._path)


def _run(job: Job, data: Path) -> dict[str, Any]:
    source = job.data if job.simulated else str(data / job.data)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "out.json"
        command = [sys.executable, "-m", "commands", "evaluate", "--events", source, *job.arguments, "--json", str(out)]
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{job.name} failed: {done.stderr.strip()[-2000:]}")
        return orjson.loads(out.read_bytes())  # type: ignore[no-any-return]


def _shown(job: Job) -> list[str]:
    return ["--events", job.data, *job.arguments]


def _rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, _DIGITS)
    if isinstance(value, dict):
        return {name: _rounded(each) for name, each in value.items()}
    return [_rounded(each) for each in value] if isinstance(value, list | tuple) else value


@click.command(help=__doc__)
@click.option("--data", type=click.Path(path_type=Path, file_okay=False), default=ROOT.parent / "shared" / "data")
@click.option("--json", "path", type=click.Path(path_type=Path, dir_okay=False), required=True)
@click.option("--only", multiple=True, metavar="NAME", help="Jobs whose names contain this; several.")
@click.option("--processes", type=click.IntRange(1, 64), default=2, show_default=True)
@click.option("--list", "listed", is_flag=True, help="Name the jobs and end.")
def main(data: Path, path: Path, only: Sequence[str], processes: int, listed: bool) -> None:
    console = Console()
    wanted = [job for job in jobs() if not only or any(part in job.name for part in only)]
    if not wanted:
        raise click.BadParameter(f"no job's name contains {' or '.join(only)}; see --list")
    if listed:
        for job in wanted:
            click.echo(f"{job.name}: headrace evaluate {' '.join(_shown(job))}")
        return
    results = Results(path)
    absent = [job for job in wanted if not (job.simulated or (data / job.data).is_dir())]
    due = [job for job in wanted if job not in absent and not results.has(job)]
    console.print(f"{len(due)} of {len(wanted)} evaluations to run", highlight=False)
    failed = run_all(due, data, results, processes, console)
    found = results.bars()
    for bar in found:
        mark = "met" if bar["met"] else "MISSED"
        console.print(f"{mark:6}  {bar['what']}: {bar['measured']:.4f} {bar['sense']} {bar['must']}", highlight=False)
    for job in absent:
        console.print(f"left out: {job.name}, there is no folder {job.data} in {data}", highlight=False, soft_wrap=True)
    sys.exit(1 if absent or failed or not all(bar["met"] for bar in found) else 0)


def run_all(due: Sequence[Job], data: Path, results: Results, processes: int, console: Console) -> int:
    """Run jobs side by side; return how many failed."""
    failed = 0
    columns = (TextColumn("{task.description}", markup=False), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress, ThreadPoolExecutor(processes) as pool:
        task = progress.add_task("evaluations", total=len(due))

        def work(job: Job) -> str:
            running = progress.add_task(job.name, total=None)
            began = time.perf_counter()
            try:
                result = _run(job, data)
            finally:
                progress.remove_task(running)
            seconds = time.perf_counter() - began
            results.add(job, result, seconds)
            return f"{job.name}: {seconds:.0f} s"

        waiting = [pool.submit(work, job) for job in due]
        try:
            for done in as_completed(waiting):
                try:
                    console.print(done.result(), highlight=False)
                except RuntimeError as error:
                    failed += 1
                    console.print(str(error), markup=False, highlight=False, soft_wrap=True)
                progress.advance(task)
        except KeyboardInterrupt:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return failed


if __name__ == "__main__":
    main()
