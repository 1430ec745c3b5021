"""Replays on a real broker and a real store: exact, repeatable, interruptible, and a worker goes on with them."""

from __future__ import annotations

import pickle
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from types import BuiltinFunctionType, FunctionType
from typing import Any

import msgspec
import numpy as np
import orjson
import pytest

from contracts.events import Click, Item, Rating, User
from contracts.redis import Keys
from infra.errors import HeadraceError
from infra.redis import connect
from infra.settings import Settings
from models.user_state import decode_state
from serving.store.namespaces import Namespaces
from serving.store.store import Store
from streams.kafka.admin import ensure_topics
from streams.learning.checkpoints import Checkpoints, digest
from streams.replaying import source
from streams.replaying.deployment import clear
from streams.replaying.replay import Report, Wishes, replay
from tests.unit.workload import events
from tests.worker import TIMEOUT_S, publish, raw_producer, working

SMALL = 256
"""A block, so that a few thousand events make many."""


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source, "BLOCK", SMALL)


@pytest.fixture
def history(settings: Settings) -> Settings:
    """A deployment whose topics hold items, users and three thousand events of some weeks."""
    return published(settings, 3000)


@pytest.fixture
def short(settings: Settings) -> Settings:
    """The same with events for five blocks."""
    return published(settings, 5 * SMALL)


def published(settings: Settings, n: int) -> Settings:
    ensure_topics(settings)
    publish(
        settings,
        *(
            Item(f"i{n}", title=f"Item {n}", categories=[f"c{n % 3}"], tags=["old" if n % 2 else "new"])
            for n in range(50)
        ),
        Item("i7", hidden=True),
        Item("i8", deleted=True),
        User("u1", attributes={"country": "no"}),
        User("blank", attributes={"country": "no"}),
        *events(n, users=40),
    )
    return settings


def at(settings: Settings, name: str) -> Settings:
    return msgspec.structs.replace(settings, namespace=name)


def run(settings: Settings, name: str, **wishes: Any) -> Report:
    return replay(at(settings, name), Wishes(**{"score_every": 20, **wishes}))


def content(settings: Settings, name: str) -> dict[str, Any]:
    """Everything that a namespace holds but times of writing, as plain values."""
    store, head = connect(settings.redis.url), f"{settings.redis.prefix}:{name}:"
    found: dict[str, Any] = {}
    for key in store.scan_iter(f"{head}*", count=1000):
        rest = key.decode().removeprefix(head)
        kind = store.type(key)
        if rest in ("workers", "replay") or rest.startswith(("epoch", "watermark")):
            continue
        value: Any = {
            b"string": store.get, b"hash": store.hgetall, b"set": store.smembers,
            b"zset": lambda key: store.zrange(key, 0, -1, withscores=True),
        }[kind](key)  # fmt: skip
        if rest.split(":")[0] in ("top", "popular", "trending", "latest", "similar"):
            value = {field: part for field, part in orjson.loads(value).items() if field not in ("time", "version")}
        if rest.startswith("applied:"):
            value = {topic.replace(f".{name}.".encode(), b".NAME."): offset for topic, offset in value.items()}
        found[rest] = value
    return found


def checkpoint(settings: Settings, name: str) -> str:
    """A hash of the checkpoint's bytes but for the id of the namespace's own learning log."""
    state = Checkpoints(at(settings, name).checkpoints, print).read()
    assert state is not None
    del state["log"]
    return digest(state)


def model(settings: Settings, name: str) -> dict[str, Any]:
    """The item model of the checkpoint, number by number: pickles of equal objects may differ."""
    state = Checkpoints(at(settings, name).checkpoints, print).read()
    assert state is not None
    del state["log"]  # of the namespace's own learning log
    return {**plain(state), "ratings": plain(pickle.loads(state["ratings"]))}


def plain(value: Any) -> Any:
    """Return nested values without objects of others."""
    if isinstance(value, np.ndarray):
        return value.shape, value.dtype.str, value.tobytes()
    if isinstance(value, random.Random):
        return value.getstate()
    if isinstance(value, dict):
        return {key: plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if isinstance(value, str | int | float | bytes | None):
        return value
    if isinstance(value, type | FunctionType | BuiltinFunctionType):
        return value.__qualname__
    return type(value).__name__, [plain(part) for part in value.__reduce_ex__(2)[1:3]]


def states(settings: Settings, name: str) -> dict[str, Any]:
    """What is known of each user, without the order in which clicks and ratings of one moment were applied."""
    found = {}
    for key, value in content(settings, name).items():
        if key.startswith("state:"):
            state = decode_state(value)
            events = sorted(zip(state.times.tolist(), state.keys.tolist(), state.kinds.tolist(), strict=True))
            found[key] = state.events, state.offsets, events, sorted(state.seen.tolist())
    return found


def test_two_replays_of_the_same_topics_are_equal_and_complete(history: Settings) -> None:
    first, second = run(history, "a"), run(history, "b", save_s=0.0)
    assert first.phase == second.phase == "done"
    assert first.events + first.duplicates == first.read - 2 == 3000  # two records are of users
    a, b = content(history, "a"), content(history, "b")
    assert a.keys() == b.keys()
    assert [key for key in a if a[key] != b[key]] == []
    assert checkpoint(history, "a") == checkpoint(history, "b")
    assert first.hit_rate_at_10 == second.hit_rate_at_10
    assert first.scored > 50
    users = {f"u{n}" for n in range(40)}
    keys = Keys("a", history.redis.prefix)
    store = connect(history.redis.url)
    assert all(store.exists(keys.top(user)) for user in users)
    assert store.smembers(keys.withheld) == {b"i7", b"i8"}
    shown = {
        item for key, value in a.items() if key.startswith(("top:", "popular", "similar")) for item in value["items"]
    }
    assert not shown & {"i7", "i8"}
    assert "similar:{i1}" in a
    assert "vector:item:{i1}" in a


class Killed(BaseException):
    """Stands for the end of the process."""


# Step → the pass at which it is cut short; the lists are written behind the fold.
KILLED_AT = (
    (Checkpoints, "write", 4),
    (Store, "write_states", 4),
    (Namespaces, "set_mark", 4),
    (Store, "write_lists", 1),
    (Store, "write_handled", 1),
    (Store, "write_applied", 1),
)


@pytest.mark.parametrize("after", [False, True])
def test_a_replay_that_is_killed_at_any_step_goes_on_to_the_same_model_and_states(
    short: Settings, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    run(short, "whole")
    for owner, method, which in KILLED_AT:
        with monkeypatch.context() as patch:
            patch.setattr(owner, method, cut_short(getattr(owner, method), which, after))
            with pytest.raises(Killed):
                run(short, method, save_s=0.0)
        with pytest.raises(HeadraceError, match="was interrupted: `headrace replay --namespace"):
            run(short, method)
        assert run(short, method, resume=True).phase == "done"
        assert content(short, method) == content(short, "whole")
        assert model(short, method) == model(short, "whole")


def cut_short(step: Callable[..., Any], which: int, after: bool) -> Callable[..., Any]:
    """Return a step at whose n-th pass the process ends: behind it, or in the middle."""
    passes = iter(range(1, 1000))

    def killed(self: Any, *arguments: Any) -> Any:
        if next(passes) == which:
            if after:
                step(self, *arguments)
            elif step.__name__ == "write_states":
                step(self, arguments[0][::2], *arguments[1:])  # some states are there, the others are not
            raise Killed
        return step(self, *arguments)

    return killed


def test_a_replay_that_is_asked_to_stop_saves_and_goes_on_to_the_same_bytes(history: Settings) -> None:
    whole = run(history, "whole")
    blocks = 0

    def asked() -> bool:
        nonlocal blocks
        blocks += 1
        return blocks > 3

    report = replay(at(history, "cut"), Wishes(score_every=20), stop=asked)
    assert report.phase == "folding"
    again = run(history, "cut", resume=True)
    assert content(history, "cut") == content(history, "whole")
    assert (again.scored, again.hit_rate_at_10, again.events) == (whole.scored, whole.hit_rate_at_10, whole.events)


def test_more_users_than_may_be_resident_change_nothing(history: Settings) -> None:
    run(history, "a")
    few = msgspec.structs.replace(history, worker=msgspec.structs.replace(history.worker, resident_users=5))
    run(few, "b")
    assert content(history, "a") == content(history, "b")


def test_a_worker_goes_on_where_the_replay_ended_and_no_event_is_lost_or_doubled(history: Settings) -> None:
    # From here on clicks only: live, those of two topics are not applied in the order of their times.
    later = [event for event in events(4500, users=40)[2800:] if isinstance(event, Click)]
    asked = False

    def publish_meanwhile(report: Report) -> None:
        nonlocal asked
        if not asked:
            asked = True
            publish(history, *later[:400])

    replay(at(history, "next"), Wishes(), on_progress=publish_meanwhile)
    assert asked
    publish(history, *later[400:800])
    publish(history, *later[:300])  # some of before and of meanwhile again: they are known
    with working(at(history, "next")) as worker:
        worker.wait_until_applied()
        publish(history, *later[800:])
        status = worker.wait_until_applied()
        worker.wait_until_items()
        assert status["log_gaps"] == 0
        worker.stop()
    run(history, "all")
    assert states(history, "next") == states(history, "all")
    models = [Checkpoints(at(history, name).checkpoints, print).read() for name in ("next", "all")]
    counts = [
        dict(zip(model["catalogue"]["ids"], model["catalogue"]["events"].tolist(), strict=True))
        for model in models
        if model is not None
    ]
    assert counts[0] == counts[1]
    assert sum(counts[0].values()) > 2000


def test_workers_do_not_start_on_a_replay_that_has_not_ended(history: Settings) -> None:
    asked = iter(range(100))
    replay(at(history, "next"), Wishes(), stop=lambda: next(asked) > 2)
    with working(at(history, "next")) as worker:
        assert "--resume" in worker.last_words()


def test_a_span_of_time_replays_what_was_published_in_it(settings: Settings) -> None:
    ensure_topics(settings)
    producer = raw_producer(settings)
    stream = events(1000, users=10)
    for event in stream:
        kind = "ratings" if isinstance(event, Rating) else "clicks"
        producer.produce(
            f"{settings.kafka.prefix}.{kind}", msgspec.json.encode(event), event.user, timestamp=event.time or 0
        )
    producer.flush()
    times = [event.time or 0 for event in stream]
    report = run(settings, "part", since=str(times[200]), until=str(times[700]))
    assert report.read == 500


def test_what_cannot_be_used_is_counted_and_passed_over(history: Settings) -> None:
    producer = raw_producer(history)
    producer.produce(f"{history.kafka.prefix}.clicks", b"{", "u1")
    producer.produce(f"{history.kafka.prefix}.clicks", b'{"user":"u2","item":"i1"}', "u1")
    producer.flush()
    report = run(history, "a")
    assert report.refused == {"malformed": 1, "key is not the user": 1}
    assert report.phase == "done"


def test_lists_of_some_users_only(history: Settings) -> None:
    report = run(history, "a", users=["u3", "u5", "nobody"])
    assert (report.lists, report.users) == (2, 41)
    tops = [key for key in content(history, "a") if key.startswith("top:")]
    assert sorted(tops) == ["top:{u3}", "top:{u5}"]


def test_a_namespace_in_use_is_not_written(history: Settings) -> None:
    run(history, "a")
    with pytest.raises(HeadraceError, match="holds users already"):
        run(history, "a")
    with pytest.raises(HeadraceError, match="no interrupted replay"):
        run(history, "a", resume=True)
    assert run(history, "a", fresh=True).phase == "done"
    namespaces = Namespaces(connect(history.redis.url), history.redis.prefix)
    namespaces.activate("a")
    with pytest.raises(HeadraceError, match="what readers use"):
        run(history, "a", fresh=True)
    namespaces.activate("main")
    now = time.time_ns() // 1_000_000
    Store(connect(history.redis.url), Keys("a", history.redis.prefix), 60).write_status(
        "w1", orjson.dumps({"time": now})
    )
    with pytest.raises(HeadraceError, match=r"workers of namespace a are running \(w1\)"):
        run(history, "a", fresh=True)


def test_a_deleted_namespace_leaves_nothing_and_touches_no_other(history: Settings) -> None:
    run(history, "a")
    run(history, "ab")
    before = content(history, "ab")
    namespaces = Namespaces(connect(history.redis.url), history.redis.prefix)
    removed = list(clear(at(history, "a"), namespaces))
    assert sum(removed) > 100
    assert content(history, "a") == {}
    assert not Path(at(history, "a").checkpoints).exists()
    assert content(history, "ab") == before
    assert [found.name for found in namespaces.find()] == ["ab"]
    assert list(clear(at(history, "a"), namespaces)) == []  # what is gone already is no error


@pytest.fixture
def config(history: Settings, tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "replay.toml"
    path.write_text(
        f'home = "{history.home}"\n'
        f'[kafka]\nbootstrap = "{history.kafka.bootstrap}"\nprefix = "{history.kafka.prefix}"\n'
        f"partitions = {history.kafka.partitions}\n"
        f'[redis]\nurl = "{history.redis.url}"\nprefix = "{history.redis.prefix}"\n'
    )
    yield path


def test_the_command_ends_in_order_on_sigterm_and_goes_on(history: Settings, config: Path, tmp_path: Path) -> None:
    publish(history, *islice(events(60_000, users=200, seed=1), 60_000))
    command = [sys.executable, "-m", "commands", "replay", "--config", str(config), "--namespace", "next"]
    process = subprocess.Popen([*command, "--save-s", "0"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    namespaces = Namespaces(connect(history.redis.url), history.redis.prefix)
    deadline = time.monotonic() + TIMEOUT_S

    def blocks() -> int:
        mark = namespaces.mark("next")
        return int(orjson.loads(mark)["progress"]["block"]) if mark else 0

    while not blocks() and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    said, errors = process.communicate(timeout=TIMEOUT_S)
    assert process.returncode == 128 + signal.SIGTERM, errors.decode()
    assert b"--resume` goes on" in said
    out = tmp_path / "figures.json"
    done = subprocess.run([*command, "--resume", "--json", str(out)], capture_output=True, timeout=TIMEOUT_S)
    assert done.returncode == 0, done.stderr.decode()
    figures = orjson.loads(out.read_bytes())
    assert figures["phase"] == "done"
    assert figures["read"] == figures["total"]
