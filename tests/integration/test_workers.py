"""Several workers of one namespace, which come, go, die and sleep: every event counts once, for everybody the same."""

from __future__ import annotations

import os
import shutil
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest
from confluent_kafka.admin import AdminClient, NewPartitions

from contracts.events import Click
from contracts.topics import CLICKS
from infra.redis import LocalRedis
from infra.settings import Settings
from models.item_model import ItemModel
from streams.kafka.producer import EventProducer
from streams.learning.checkpoints import Checkpoints
from tests.worker import Worker, configured, ends, publish, raw_producer, working, working_together

PARTITIONS = set(range(4))


def clicks(first: int, n: int) -> list[Click]:
    return [
        Click(f"u{k % 40}", f"i{(k * 7 + k // 40) % 60}", time=1_000_000 + 1000 * k) for k in range(first, first + n)
    ]


@contextmanager
def publishing(settings: Settings, first: int, per_s: int = 100) -> Iterator[None]:
    """Publish without a pause during a block."""
    over = threading.Event()

    def run() -> None:
        producer = EventProducer(settings)
        for start in range(first, first + 1_000_000, 10):
            for click in clicks(start, 10):
                producer.publish(click)
            if over.wait(10 / per_s):
                break
        producer.flush()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def private(worker: Worker, *kinds: str) -> dict[bytes, Any]:
    """What stands in the store of users, by key without prefix and namespace."""
    head = f"{worker.settings.redis.prefix}:{worker.settings.namespace}:"
    found = {}
    for kind in kinds:
        for key in worker.store.scan_iter(f"{head}{kind}:*", count=1000):
            is_hash = worker.store.type(key) == b"hash"
            found[key.removeprefix(head.encode())] = worker.store.hgetall(key) if is_hash else worker.store.get(key)
    return found


def of_clicks(worker: Worker) -> dict[str, int]:
    """How far the clicks are applied."""
    return {place: offset for place, offset in worker.applied().items() if ".clicks/" in place}


def counts(settings: Settings) -> dict[str, int]:
    """Item → events learned, by the newest checkpoint."""
    model = ItemModel()
    state = Checkpoints(settings.checkpoints, print).read()
    assert state is not None
    model.restore(state)
    return dict(zip(model.catalogue.ids, model.catalogue.events[: len(model.catalogue)].tolist(), strict=True))


def numbers(*workers: Worker) -> list[set[int]]:
    return [set(worker.status().get("numbers", ())) for worker in workers]


def shared_out(*workers: Worker) -> bool:
    """Whether every partition has one owner, and every worker some."""
    owned = numbers(*workers)
    return all(owned) and sum(map(len, owned)) == len(PARTITIONS) and set().union(*owned) == PARTITIONS


def compare_with_an_undisturbed_worker(settings: Settings, workers: list[Worker]) -> None:
    for worker in workers:
        worker.wait_until_applied()
    for worker in workers:
        worker.stop()
    assert len({worker.status()["model_digest"] for worker in workers}) == 1
    assert not any(worker.status()["log_gaps"] for worker in workers)
    assert not any(worker.status()["rejoined"] for worker in workers[1:])  # the first may have been refused
    alone = msgspec.structs.replace(settings, namespace=f"{settings.namespace}-alone")
    with working(alone) as undisturbed:
        undisturbed.wait_until_applied()
        undisturbed.stop()
        assert private(workers[0], "state", "applied").items() >= private(undisturbed, "state").items()
        assert len(private(workers[0], "state")) == len(private(undisturbed, "state"))
    assert counts(settings) == counts(alone)


def test_workers_that_join_leave_and_die_count_every_event_once(settings: Settings) -> None:
    with working_together(settings, ["a", "b"], "session_ms = 3000\n") as workers:
        one, two = workers
        one.wait(lambda: shared_out(one, two))
        with publishing(settings, 0):
            one.wait(lambda: one.status().get("events_applied", 0) > 50)
            one.kill()  # comes back under the same name: nobody else takes over
            one.start()
            one.wait(lambda: one.status().get("events_applied", 0) > 20)
            two.stop()
            two.kill()
            one.wait(lambda: numbers(one) == [PARTITIONS])
            two.start()
            two.wait(lambda: two.status().get("events_applied", 0) > 20)
            one.kill()  # and stays away: the other takes over
            two.wait(lambda: numbers(two) == [PARTITIONS])
            one.start()
            one.wait(lambda: shared_out(one, two))
        compare_with_an_undisturbed_worker(settings, workers)


def test_a_worker_with_one_that_stayed_behind_goes_on_by_itself(settings: Settings) -> None:
    with working_together(settings, ["a", "b"]) as (killed, other):
        killed.stop()
        killed = Worker(settings, configured(settings, ""), "a", respawn=True)
        killed.wait(lambda: shared_out(killed, other))
        owned = numbers(other)
        with publishing(settings, 0):
            for _ in range(2):
                killed.wait(lambda: killed.status().get("events_applied", 0) > 20)
                before = killed.pid
                os.kill(before, signal.SIGKILL)
                killed.wait(lambda before=before: killed.pid != before)
        assert killed.words().count("ended with signal SIGKILL; started again") == 2
        assert numbers(other) == owned  # nobody else took over
        compare_with_an_undisturbed_worker(settings, [killed, other])


def test_a_worker_that_slept_while_it_lost_its_partitions_changes_nothing(settings: Settings) -> None:
    kinds = ("top", "state", "watermark", "vector:user")
    with working_together(settings, ["a", "b"], "session_ms = 2000\nfreshened_per_s = 0\n") as workers:
        sleeper, other = workers
        sleeper.wait(lambda: shared_out(sleeper, other))
        # More than it can do at once: it is stopped with batches in every place on the way to the store.
        publish(settings, *clicks(0, 6000))
        seen = private(sleeper, "watermark")
        sleeper.wait(lambda: private(sleeper, "watermark") != seen)
        sleeper.process.send_signal(signal.SIGSTOP)
        other.wait(lambda: numbers(other) == [PARTITIONS])
        publish(settings, *clicks(6000, 80))
        other.wait_until_applied()
        before, applied = private(other, *kinds), of_clicks(other)
        sleeper.process.send_signal(signal.SIGCONT)
        sleeper.wait(lambda: shared_out(sleeper, other))
        assert (private(other, *kinds), of_clicks(other)) == (before, applied)
        publish(settings, *clicks(5_000_000, 40))
        compare_with_an_undisturbed_worker(settings, workers)


def test_an_owner_that_another_program_has_replaced_drops_what_it_holds_and_joins_anew(settings: Settings) -> None:
    with working(settings) as worker, publishing(settings, 0):
        worker.wait(lambda: worker.status().get("events_applied", 0) > 50)
        worker.store.set(worker.keys.epoch(2), int(time.time()) + 1000)
        worker.wait(lambda: worker.status().get("rejoined", 0) == 1 and numbers(worker) == [PARTITIONS])
        epoch = int(worker.store.get(worker.keys.epoch(2)) or 0)
        worker.wait(lambda: any(str(list_["version"]).startswith(f"{epoch}.") for list_ in lists(worker)))
        assert worker.process.poll() is None


def lists(worker: Worker) -> list[dict[str, Any]]:
    return [worker.list_of(f"u{n}") for n in range(40) if worker.list_of(f"u{n}")]


def test_under_kip_848_a_joiner_takes_its_share_and_a_foreign_key_is_refused(settings: Settings) -> None:
    more = 'group_protocol = "consumer"\n'
    with working_together(settings, ["a"], more, static=False) as first, publishing(settings, 0):
        (one,) = first
        one.wait(lambda: numbers(one) == [PARTITIONS] and one.status()["events_applied"] > 50)
        applied = one.status()["events_applied"]
        with working_together(settings, ["b"], more, static=False) as second:
            (two,) = second
            one.wait(lambda: shared_out(one, two))
            one.wait(lambda: one.status()["events_applied"] > applied and two.status()["events_applied"] > 20)
            producer, body = raw_producer(settings), b'{"user":"u1","item":"i1","id":"foreign"}'
            for partition in PARTITIONS:
                producer.produce(f"{settings.kafka.prefix}.clicks", body, "u1", partition=partition)
            producer.flush()
            one.wait(
                lambda: sum(w.status()["dead_letters_by_reason"].get("key is not the user", 0) for w in (one, two)) == 3
            )
            two.kill()  # nobody comes back: the other takes over after the broker's session timeout
            one.wait(lambda: numbers(one) == [PARTITIONS])
        assert one.status()["rejoined"] == 0
    # The publisher has ended: what it published is counted, by whoever goes on.
    with working_together(settings, ["c"], more, static=False) as last:
        wanted = ends(settings, CLICKS)
        last[0].wait(lambda: last[0].applied().items() >= wanted.items())
        assert last[0].status()["duplicates"] == 0


def test_a_store_that_comes_back_older_gets_again_what_it_lost(
    own: Settings, server: LocalRedis, tmp_path: Path
) -> None:
    with working(own) as worker:
        publish(own, *clicks(0, 200))
        worker.wait_until_applied()
        server.stop()
        shutil.copytree(server.directory, tmp_path / "backup")
        server.start()
        publish(own, *clicks(200, 200))
        worker.wait_until_applied()
        before = private(worker, "state", "applied")
        server.kill()
        shutil.rmtree(server.directory)
        shutil.copytree(tmp_path / "backup", server.directory)
        server.start()
        worker.wait(lambda: private(worker, "state", "applied") == before)
        publish(own, *clicks(400, 40))
        status = worker.wait_until_applied()
        assert status["learned"] == 440
        assert status["rejoined"] >= 1
        assert all(set(worker.list_of(f"u{n}")["items"]).isdisjoint(had(n)) for n in range(40))


def had(user: int) -> set[str]:
    return {click.item for click in clicks(0, 440) if click.user == f"u{user}"}


@pytest.mark.parametrize("how", ["emptied", "restarted empty"])
def test_an_emptied_store_ends_the_worker_with_the_remedy(own: Settings, server: LocalRedis, how: str) -> None:
    with working(own) as worker:
        publish(own, *clicks(0, 100))
        worker.wait_until_applied()
        if how == "emptied":
            worker.store.flushall()
        else:
            server.kill()
            for left in server.directory.glob("*.aof"):
                left.unlink()
            server.start()
        publish(own, *clicks(100, 10))
        assert "rebuild this namespace with `headrace replay`" in worker.last_words()


def test_a_changed_number_of_partitions_ends_the_worker_with_the_remedy_now_and_later(settings: Settings) -> None:
    with working(settings) as worker:
        publish(settings, *clicks(0, 40))
        worker.wait_until_applied()
        admin = AdminClient({"bootstrap.servers": settings.kafka.bootstrap, "log_level": 0})
        more = [NewPartitions(f"{settings.kafka.prefix}.{name}", 6) for name in ("clicks", "ratings", "users")]
        for answer in admin.create_partitions(more).values():
            answer.result()
        for again in (False, True):
            if again:
                worker.start()
            assert "shared out among 4" in worker.last_words()
