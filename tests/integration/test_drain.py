"""What is asked to end ends in order: the service says so first, the worker leaves nothing to be done twice."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import orjson
import redis

from contracts.events import Click
from contracts.redis import Keys
from infra.settings import Settings
from tests.worker import TIMEOUT_S, publish, working


def test_a_service_is_not_ready_before_it_ends_and_answers_until_then(
    redis_url: str, namespace: str, tmp_path: Path
) -> None:
    store, keys = redis.Redis.from_url(redis_url), Keys("main", namespace)
    store.set(keys.shared("popular"), orjson.dumps({"items": ["a"], "scores": [1.0], "time": 1}))
    store.hset(keys.workers, "w", json.dumps({"worker": "w", "time": time.time_ns() // 1_000_000, "ready": True}))
    config = tmp_path / "settings.toml"
    config.write_text(f'[redis]\nurl = "{redis_url}"\nprefix = "{namespace}"\n[serving]\nport = 0\nleave_s = 3.0\n')
    command = [sys.executable, "-m", "commands", "serve", "--config", str(config)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            address = process.stdout.readline().split()[2]
            deadline = time.monotonic() + TIMEOUT_S
            while httpx.get(f"{address}/ready").status_code != 200:  # in a moment: the socket is open before the server
                assert time.monotonic() < deadline
            process.send_signal(signal.SIGTERM)
            while httpx.get(f"{address}/ready").status_code == 200:
                assert time.monotonic() < deadline
            assert "about to end" in httpx.get(f"{address}/ready").text
            assert httpx.get(f"{address}/popular").status_code == 200
            assert httpx.get(f"{address}/health").status_code == 200
            assert process.wait(TIMEOUT_S) == 0
        finally:
            process.kill()
    store.close()


def test_a_worker_that_is_asked_to_end_under_load_leaves_nothing_half_done(settings: Settings) -> None:
    clicks = [Click(f"u{n % 50}", f"i{n % 97}", time=1_000_000 + n) for n in range(4000)]
    with working(settings) as worker:
        worker.wait(lambda: bool(worker.status().get("ready")))
        publish(settings, *clicks)
        worker.wait(lambda: worker.status()["events_applied"] > 0)
        worker.stop()
        first, durable = worker.status(), worker.applied()
        written = {
            f"{topic.decode()}/{partition}": int(offset)
            for partition in range(settings.kafka.partitions)
            for topic, offset in worker.store.hgetall(worker.keys.watermark(partition)).items()
        }
        assert not first["ready"]
        assert {place: offset for place, offset in durable.items() if "clicks" in place} == written
        worker.start()
        second = worker.wait_until_applied()
        assert second["duplicates"] == 0
        assert first["events_applied"] + second["events_applied"] == len(clicks)
        worker.stop()
