"""The HTTP service beside a bare route of the same server that does one Redis GET and returns the bytes.

    python -m benchmarks.serving [--json OUT]

``wrk`` (Debian: ``apt-get install wrk``) asks over 16 connections, for one user after another. The control is measured
before and after each row, whose ratio is to the mean of these two; of all rounds the median counts. The store holds
what workers write: lists of 100 items with reasons for 20, items' records with titles and categories, lists for
everybody.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import click
import orjson
import redis
from rich.console import Console
from rich.table import Table

from benchmarks.parts.machine import cpu_s, libraries, load, machine
from contracts.redis import SHARED, Keys, encode_list
from infra.redis import LocalRedis

USERS, ITEMS, LIST, CATEGORIES = 2000, 4000, 100, 20
CONNECTIONS = 16
CONTROL, RATE, RATIO = "control", "requests_per_second", "ratio_to_control"
ROWS = {
    CONTROL: "/bare/%d",
    "plain": "/recommend/%d?n=10",
    "explain": "/recommend/%d?n=10&explain=true&titles=true",
    "filters": "/recommend/%d?n=10&categories=c1&categories=c2&exclude=17",
    "guests": "/recommend/guest%d?n=10",
}
MUST = 0.8
_ASK = """
local user = 0
request = function()
  user = (user + 1) % {users}
  return wrk.format("GET", string.format("{path}", user))
end
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format('{{"requests":%d,"us":%d,"p50_us":%d,"p99_us":%d,"errors":%d}}',
    summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


@click.command(help=__doc__.split("\n")[0])
@click.option("--json", "out", type=click.Path(dir_okay=False, path_type=Path), help="Write all figures to a file.")
@click.option("--rounds", type=click.IntRange(min=1), default=8, show_default=True)
@click.option("--seconds", type=click.IntRange(min=1), default=2, show_default=True, help="Of one row in a round.")
def main(out: Path | None, rounds: int, seconds: int) -> None:
    wrk = shutil.which("wrk")
    if wrk is None:
        raise click.ClickException("wrk is not installed; on Debian: apt-get install wrk")
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in ROWS}
    with tempfile.TemporaryDirectory() as folder, LocalRedis(folder) as store:
        _fill(store.url)
        with _served(store.url) as (port, pid):
            for name in ROWS:
                _ask(wrk, port, pid, name, 1, Path(folder))  # what is made once is made
            runs[CONTROL].append(_ask(wrk, port, pid, CONTROL, seconds, Path(folder)))
            for number in range(rounds):
                for name in ROWS:
                    if name != CONTROL:
                        row, control = (_ask(wrk, port, pid, each, seconds, Path(folder)) for each in (name, CONTROL))
                        around = (runs[CONTROL][-1][RATE] + control[RATE]) / 2
                        runs[name].append(row | {RATIO: round(row[RATE] / around, 3)})
                        runs[CONTROL].append(control)
                        click.secho(f"round {number + 1} of {rounds}: {name} {runs[name][-1]}", dim=True, err=True)
    results = {
        "machine": machine(),
        "versions": libraries(),
        "connections": CONNECTIONS,
        "rows": _summary(runs),
        "must_ratio": MUST,
        "runs": runs,
    }
    _print(results)
    if out:
        out.write_bytes(orjson.dumps(results, option=orjson.OPT_INDENT_2))


def _fill(url: str) -> None:
    keys, now = Keys(prefix="bench"), time.time_ns() // 1_000_000
    pipeline = redis.Redis.from_url(url).pipeline(transaction=False)
    for user in range(USERS):
        items = [str((user * 37 + place * 13) % ITEMS) for place in range(LIST)]
        scores = [round(6.0 / (1.0 + place / 9.0), 3) for place in range(LIST)]
        reasons = [["followed", str(user), str(user + 1)]] * 20
        pipeline.set(keys.top(str(user)), encode_list(f"{now // 1000}.{user}", items, scores, reasons, now, "123456"))
    for item in range(ITEMS):
        record = {"item": str(item), "title": f"Film {item} (1995)", "categories": [f"c{item % CATEGORIES}"]}
        pipeline.set(keys.item(str(item)), orjson.dumps(record))
    for name in SHARED:
        everyone = {"items": [str(item) for item in range(LIST)], "scores": [1.0] * LIST, "time": now}
        pipeline.set(keys.shared(name), orjson.dumps(everyone))
    pipeline.execute()


@contextmanager
def _served(url: str) -> Iterator[tuple[int, int]]:
    command = [sys.executable, "-m", "benchmarks.parts.serving_app", url, "bench"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            yield int(server.stdout.readline()), server.pid
        finally:
            server.terminate()


def _ask(wrk: str, port: int, pid: int, name: str, seconds: int, folder: Path) -> dict[str, Any]:
    script = folder / f"{name}.lua"
    script.write_text(_ASK.format(users=USERS, path=ROWS[name]))
    url = f"http://127.0.0.1:{port}"
    command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(script), url]
    before = cpu_s(pid)
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    raw = orjson.loads(said[said.index('{"requests"') :])
    if raw["errors"]:
        raise click.ClickException(f"{name}: {raw['errors']} of {raw['requests']} requests failed")
    return {
        RATE: round(raw["requests"] / raw["us"] * 1e6),
        "p50_ms": round(raw["p50_us"] / 1000, 2),
        "p99_ms": round(raw["p99_us"] / 1000, 2),
        "cpu_us_per_request": round((cpu_s(pid) - before) / max(raw["requests"], 1) * 1e6, 1),
        "load": load(),
    }


def _summary(runs: dict[str, list[dict[str, Any]]]) -> dict[str, dict[str, float]]:
    return {
        name: {RATIO: 1.0} | {figure: round(median(run[figure] for run in done), 3) for figure in done[0]}
        for name, done in runs.items()
    }


def _print(results: dict[str, Any]) -> None:
    rows = results["rows"]
    table = Table("", *rows[CONTROL], box=None, header_style="dim")
    for name, row in rows.items():
        table.add_row(name, *(f"{value:,}" for value in row.values()))
    console = Console()
    console.print(table)
    ratio = rows["plain"][RATIO]
    mark = "[green]met" if ratio >= results["must_ratio"] else "[red]missed"
    console.print(f"plain against the control: {ratio} (must be {results['must_ratio']}) {mark}")
    console.print(f"{results['machine']['cpu']}, {results['machine']['cores']} cores", style="dim")


if __name__ == "__main__":
    main()
