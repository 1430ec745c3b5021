"""What the benchmark of replays needs beside the replay: the merged stream as a file, and what namespaces differ in."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import msgspec
import orjson

from contracts.events import encode
from contracts.topics import partition_of
from evaluation.datasets import open_dataset
from infra.redis import connect
from infra.settings import Settings
from streams.forgetting.marks import Marks
from streams.learning.checkpoints import Checkpoints, digest
from streams.replaying.plan import make_plan, start_of
from streams.replaying.source import Source

_OF_THE_MOMENT = ("time", "version")  # a version begins with the epoch, which follows the clock


def write_stream(settings: Settings, movielens: Path, file: Path) -> int:
    """Write the items and then the events in the order of a replay as JSON lines; return how many events there are."""
    plan = make_plan(settings, "beginning", "now", 0, 0, time.time_ns() // 1_000_000)
    begin = start_of(plan)
    conf = {"bootstrap.servers": settings.kafka.bootstrap, "log_level": 0}
    source = Source(
        plan.parts, conf, lambda user: partition_of(user, plan.partitions), begin.positions, begin.times, [],
        Marks.read(settings), rekey=settings.kafka.rekey,
    )  # fmt: skip
    written = 0
    with file.open("wb") as out, source as blocks:
        for item in open_dataset(movielens).items():
            out.write(encode(item) + b"\n")
        for block in blocks:
            out.writelines(encode(event) + b"\n" for event in block.what)
            written += len(block)
    return written


def differences(settings: Settings, first: str, second: str) -> list[str]:
    """Return the keys, and the checkpoints, in which two namespaces differ but for times of writing."""
    a, b = (_content(settings, name) for name in (first, second))
    found = sorted(key for key in a.keys() | b.keys() if a.get(key) != b.get(key))
    checkpoints = [_digest(settings, name) for name in (first, second)]
    return found if checkpoints[0] == checkpoints[1] else [*found, "checkpoint"]


def _content(settings: Settings, name: str) -> dict[str, Any]:
    store: Any = connect(settings.redis.url)
    head = f"{settings.redis.prefix}:{name}:"
    readers: dict[bytes, Any] = {
        b"string": store.get, b"hash": store.hgetall, b"set": store.smembers,
        b"zset": lambda key: store.zrange(key, 0, -1, withscores=True),
    }  # fmt: skip
    found: dict[str, Any] = {}
    for key in store.scan_iter(f"{head}*", count=1000):
        rest = key.decode().removeprefix(head)
        if rest in ("workers", "replay") or rest.startswith("epoch:"):
            continue
        value = readers[store.type(key)](key)
        if rest.split(":")[0] in ("top", "popular", "trending", "latest", "similar"):
            value = {field: part for field, part in orjson.loads(value).items() if field not in _OF_THE_MOMENT}
        elif rest.startswith("applied:"):
            value = {topic.replace(f".{name}.".encode(), b".NAME."): offset for topic, offset in value.items()}
        found[rest] = value
    return found


def _digest(settings: Settings, name: str) -> str:
    """Return a hash of the whole item model; a checkpoint's own bytes also name its learning log."""
    state = Checkpoints(msgspec.structs.replace(settings, namespace=name).checkpoints, print).read()
    assert state is not None
    state.pop("log")
    return digest(state)
