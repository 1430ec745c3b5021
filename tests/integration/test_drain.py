"""What is asked to end ends in order: the service says so first, the worker leaves nothing to be done twice."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit

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
            with asked_by_half(address) as half:
                process.send_signal(signal.SIGTERM)
                while httpx.get(f"{address}/ready").status_code == 200:
                    assert time.monotonic() < deadline
                assert "about to end" in httpx.get(f"{address}/ready").text
                assert httpx.get(f"{address}/popular").status_code == 200
                assert httpx.get(f"{address}/health").status_code == 200
                while is_listening(address):
                    assert time.monotonic() < deadline
                half.sendall(BODY[3:])  # what was under way is answered by a server that takes nothing new
                assert half.makefile("rb").readline().startswith(b"HTTP/1.1 200")
            assert process.wait(TIMEOUT_S) == 0
        finally:
            process.kill()
    store.close()


BODY = b'{"recent": ["a"]}'


def asked_by_half(address: str) -> socket.socket:
    """Send a request, but for the end of its body."""
    client = socket.create_connection(("127.0.0.1", urlsplit(address).port))
    client.settimeout(TIMEOUT_S)
    head = (
        f"POST /recommend HTTP/1.1\r\nHost: h\r\nContent-Type: application/json\r\nContent-Length: {len(BODY)}\r\n\r\n"
    )
    client.sendall(head.encode() + BODY[:3])
    return client


def is_listening(address: str) -> bool:
    try:
        socket.create_connection(("127.0.0.1", urlsplit(address).port)).close()
    except (ConnectionRefusedError, ConnectionResetError):  # reset: the socket was closed while we stood in its queue
        return False
    return True


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
