"""``headrace run`` as a user types it: a real broker, a real store, a real worker, a file of 2,000 events."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from contracts.redis import Keys
from infra.kafka import LocalKafka
from infra.local import LocalServices
from infra.redis import LocalRedis, connect
from infra.settings import Settings

EVENTS, USERS, FILMS = 2000, 40, 60


@pytest.fixture
def events(tmp_path: Path) -> Path:
    """Films, then clicks and every fourth time a rating, and two lines that no worker could use."""
    films = [{"item": f"film{film}", "title": f"Film {film}"} for film in range(FILMS)]
    acts: list[dict[str, Any]] = []
    for number in range(EVENTS):
        act = {"user": f"user{number % USERS}", "item": f"film{number * 7 % FILMS}", "time": 1_700_000_000_000 + number}
        acts.append(act | {"rating": 4.0} if number % 4 == 3 else act)
    lines = [json.dumps(line) for line in (*films, *acts)]
    path = tmp_path / "events.jsonl"
    path.write_text("\n".join([*lines[:100], "{", '{"user": ""}', *lines[100:]]) + "\n", "utf-8")
    return path


def command(home: Path, *options: str) -> list[str]:
    numbers = home.with_suffix(".json")
    return [sys.executable, "-P", "-m", "commands", "run", "--home", str(home), "--json", str(numbers), *options]


def numbers_of(home: Path) -> dict[str, Any]:
    numbers: dict[str, Any] = json.loads(home.with_suffix(".json").read_text("utf-8"))
    return numbers


def children(pid: int, command: str = "") -> list[int]:
    """The children of a process that have this in their command line."""
    shown = ["ps", "--ppid", str(pid), "-ww", "-o", "pid=,args="]  # at once: each may be gone in a moment
    table = subprocess.run(shown, capture_output=True, text=True).stdout  # status 1: there are none
    return [int(row.split(maxsplit=1)[0]) for row in table.splitlines() if command in row]


def workers(pid: int) -> list[int]:
    """The workers among its children: what compiles, and then works."""
    return children(pid, "commands.running.child")


def alive(pids: Sequence[int]) -> list[int]:
    found = []
    for pid in pids:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            continue
        found.append(pid)
    return found


def await_events(run: subprocess.Popen[str]) -> None:
    """Return when the run says that it applies events."""
    assert run.stdout is not None
    next(line for line in run.stdout if "published" in line and "applied" in line)


@pytest.fixture
def elsewhere(settings: Settings, tmp_path: Path) -> tuple[str, str]:
    """Options that name a broker and a store that run already."""
    path = tmp_path / "settings.toml"
    path.write_text(
        f'namespace = "{settings.namespace}"\n'
        f'[kafka]\nbootstrap = "{settings.kafka.bootstrap}"\nprefix = "{settings.kafka.prefix}"\n'
        f'[redis]\nurl = "{settings.redis.url}"\nprefix = "{settings.redis.prefix}"\n',
        "utf-8",
    )
    return "--config", str(path)


def test_an_interrupted_run_ends_in_order_and_the_next_ones_go_on(tmp_path: Path, events: Path) -> None:
    home = tmp_path / "home"
    given = ("--data", str(events))
    run = subprocess.Popen(command(home, *given, "--rate", "150"), cwd=tmp_path, stdout=subprocess.PIPE, text=True)
    await_events(run)
    started = children(run.pid)
    run.send_signal(signal.SIGINT)
    said, _ = run.communicate(timeout=60)
    assert run.returncode == 128 + signal.SIGINT
    assert len(started) == 4, "broker, store, worker and HTTP service"
    assert not alive(started)
    assert LocalKafka.attach(home / "kafka") is None
    assert LocalRedis.attach(home / "redis") is None
    assert f"headrace recommend user0 --explain --home {home}" in said
    first = numbers_of(home)
    assert not first["complete"]
    assert 0 < first["published"] < EVENTS

    with LocalServices(Settings(home=str(home))):  # the next runs use what runs already
        done = subprocess.run(command(home, *given), cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        second = numbers_of(home)
        assert second["complete"]
        assert first["published"] + second["published"] == EVENTS
        assert first["events_applied"] + second["events_applied"] == EVENTS
        for numbers in (first, second):
            assert numbers["duplicates"] == 0
            assert numbers["dead_letters"] == 0
        assert first["not_published"] == {"malformed": 1, "bad id": 1}
        assert second["users_with_list"] == USERS
        assert second["freshness_ms_p50"] <= second["freshness_ms_p99"]
        assert second["versions"].keys() == {"headrace", "kafka", "redis", "python"}

        done = subprocess.run(command(home, *given), cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        assert "was published before" in done.stdout
        third = numbers_of(home)
        assert (third["published"], third["events_applied"]) == (0, 0)
        assert third["users_with_list"] == USERS
    assert sorted(path.name for path in tmp_path.iterdir()) == ["events.jsonl", "home", "home.json"]


def test_simulated_visitors_are_served_by_a_broker_and_a_store_that_run_elsewhere(
    tmp_path: Path, elsewhere: tuple[str, str]
) -> None:
    home = tmp_path / "home"
    done = subprocess.run(
        command(home, *elsewhere, "--duration", "3", "--rate", "200"), cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    numbers = numbers_of(home)
    assert numbers["items_published"] == 2000
    assert 0 < numbers["published"] == numbers["events_applied"]
    assert len(numbers["click_through_by_tenth"]) == 10
    assert max(numbers["click_through_by_tenth"]) > 0
    assert numbers["versions"]["kafka"] is None, "another's broker does not say its version"


def await_that(reached: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not reached():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_worker_that_crashes_is_started_again_until_it_crashes_too_often(
    tmp_path: Path, settings: Settings, elsewhere: tuple[str, str]
) -> None:
    run = subprocess.Popen(
        command(tmp_path / "home", *elsewhere, "--duration", "0"),
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    await_events(run)
    reports = Keys(settings.namespace, settings.redis.prefix).workers
    with connect(settings.redis.url) as store:

        def applies(worker: int) -> bool:
            said: list[Any] = [json.loads(report) for report in store.hvals(reports)]
            return any(report["pid"] == worker and report["events_applied"] for report in said)

        (worker,) = workers(run.pid)
        os.kill(worker, signal.SIGKILL)
        assert run.stdout is not None
        next(line for line in run.stdout if "The worker has crashed with status -9; its last words: " in line)
        await_that(lambda: any(applies(child) for child in workers(run.pid) if child != worker))
    for _ in range(5):
        (worker,) = workers(run.pid)
        os.kill(worker, signal.SIGKILL)
        await_that(lambda gone=worker: run.poll() is not None or bool({*workers(run.pid)} - {gone}))
    _, complaint = run.communicate(timeout=60)
    assert run.returncode == 1
    assert "the worker has crashed 6 times, soon after each start, now with status -9; its last words: " in complaint
    assert "Traceback" not in complaint
