"""Redis goes, fills up and comes back: the worker waits, says so, and nothing is lost."""

from __future__ import annotations

import time
from pathlib import Path

from infra.redis import LocalRedis, connect
from infra.settings import Settings
from tests.visits import USERS, visits
from tests.worker import Worker, publish, working

WATCHFUL = "stalled_s = 10\n"


def test_while_redis_is_away_events_wait_and_the_worker_lives(own: Settings, server: LocalRedis) -> None:
    with working(own) as worker:
        publish(own, *visits(0))
        worker.wait_until_applied()
        pid = worker.process.pid
        server.kill()
        publish(own, *visits(1))
        time.sleep(1)
        server.start()
        assert worker.wait_until_applied()["learned"] == 2 * USERS
        worker.wait_until_fresh("u3")
        assert worker.process.pid == pid
        worker.stop()


def test_while_redis_is_full_events_wait_and_lists_stay(own: Settings, server: LocalRedis) -> None:
    with working(own) as worker, connect(server.url) as admin:
        publish(own, *visits(0))
        worker.wait_until_fresh("u3")
        before = worker.list_of("u3")
        admin.config_set("maxmemory", "1mb")
        publish(own, *visits(1))
        worker.wait(lambda: refusals(worker) > 10)
        assert worker.list_of("u3")["version"] == before["version"]
        time.sleep(1)
        assert worker.process.poll() is None
        admin.config_set("maxmemory", "0")
        assert worker.wait_until_applied()["learned"] == 2 * USERS
        worker.wait_until_fresh("u3")
        assert version(worker, "u3") > [int(part) for part in before["version"].split(".")]
        worker.stop()


def test_a_worker_that_stands_still_is_ended_and_its_restart_goes_on(settings: Settings) -> None:
    with working(settings, WATCHFUL) as worker:
        publish(settings, *visits(0))
        worker.wait_until_applied()
        worker.kill()
        worker.start("hang:lists")
        publish(settings, *visits(1))
        words = worker.last_words()
        assert "nothing became durable for 10 s though there is input" in words
        worker.start()
        assert worker.wait_until_applied()["learned"] == 2 * USERS


def test_a_clock_that_steps_back_changes_neither_lists_nor_their_life(settings: Settings, tmp_path: Path) -> None:
    offset = tmp_path / "offset"
    offset.write_text("0")
    with working(settings) as worker:
        worker.kill()
        worker.start(PYTHONPATH=str(stepping_clock(tmp_path, offset)))
        publish(settings, *visits(0))
        worker.wait_until_fresh("u3")
        before = worker.list_of("u3")
        offset.write_text("-3600")
        publish(settings, *visits(1)[:3])
        # Who did nothing since gets his list anew, from what others have taught.
        worker.wait_until_fresh("u20")
        now = worker.list_of("u20")
        assert now["time"] < before["time"] - 3_000_000
        assert version(worker, "u20") > [int(part) for part in before["version"].split(".")]
        assert worker.store.ttl(worker.keys.top("u20")) > 80 * 24 * 3600
        assert worker.status()["learned"] == USERS + 3
        worker.stop()


def stepping_clock(folder: Path, offset: Path) -> Path:
    """Return a folder whose ``sitecustomize`` shifts the time of day by what a file says, in seconds."""
    (folder / "sitecustomize.py").write_text(
        "import pathlib, time\n"
        f"offset = pathlib.Path({str(offset)!r})\n"
        "now, now_ns = time.time, time.time_ns\n"
        "time.time = lambda: now() + float(offset.read_text() or 0)\n"
        "time.time_ns = lambda: now_ns() + int(float(offset.read_text() or 0) * 1e9)\n"
    )
    return folder


def refusals(worker: Worker) -> int:
    """How often the store has refused a command for lack of memory."""
    stats = worker.store.info("errorstats")
    return sum(entry["count"] for name, entry in stats.items() if name in ("errorstat_OOM", "errorstat_ERR"))


def version(worker: Worker, user: str) -> list[int]:
    return [int(part) for part in worker.list_of(user)["version"].split(".")]
