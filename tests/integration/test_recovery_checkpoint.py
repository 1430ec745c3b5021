"""A disk that fills up and a checkpoint that is damaged cost time, and nothing else."""

from __future__ import annotations

import resource
from pathlib import Path

from infra.settings import Settings
from tests.visits import USERS, visits
from tests.worker import Worker, publish, working

OFTEN = "[model]\ncheckpoint_s = 1\n"


def test_without_room_for_checkpoints_the_worker_goes_on_and_writes_one_when_there_is(settings: Settings) -> None:
    with working(settings, OFTEN) as worker:
        publish(settings, *visits(0))
        worker.wait_until_applied()
        worker.wait(lambda: bool(names(worker)))
        # No file may grow beyond 1 kB: the same error comes in the middle of a write as from a full disk.
        limit(worker, 1000)
        publish(settings, *visits(1))
        assert worker.wait_until_applied()["learned"] == 2 * USERS
        worker.wait(lambda: worker.status()["checkpoint_errors"] > 0)
        kept = names(worker)
        assert kept
        assert not [name for name in kept if not name.endswith(".model")]
        limit(worker, resource.RLIM_INFINITY)
        worker.wait(lambda: max(names(worker)) > max(kept))
        # Nor does it keep a worker from leaving in order.
        limit(worker, 1000)
        publish(settings, *visits(2))
        worker.wait_until_applied()
        worker.stop()
        worker.start()
        assert worker.wait_until_applied()["learned"] == 3 * USERS


def test_a_damaged_checkpoint_is_set_aside_and_what_it_held_is_read_from_the_log(settings: Settings) -> None:
    with working(settings, OFTEN) as worker:
        publish(settings, *visits(0))
        worker.wait_until_applied()
        worker.stop()
        for path in folder(worker).iterdir():
            path.write_bytes(path.read_bytes()[:-100])
        publish(settings, *visits(1))
        worker.start()
        status = worker.wait_until_applied()
        assert (status["learned"], status["log_gaps"]) == (2 * USERS, 0)
        worker.wait(lambda: any(name.endswith(".model") for name in names(worker)))
        assert any(name.endswith(".damaged") for name in names(worker))


def test_checkpoints_that_cannot_be_read_end_the_start_with_a_failure(settings: Settings) -> None:
    with working(settings, OFTEN) as worker:
        publish(settings, *visits(0))
        worker.wait_until_applied()
        worker.stop()
        (folder(worker) / f"{10**12}.model").mkdir()
        worker.start()
        assert "Is a directory" in worker.last_words()


def folder(worker: Worker) -> Path:
    return Path(worker.settings.checkpoints)


def names(worker: Worker) -> list[str]:
    """The files of the checkpoints, those aside that are just being written."""
    found = sorted(path.name for path in folder(worker).glob("*"))
    return [name for name in found if not name.endswith(".part") or worker.status().get("checkpoint_errors")]


def limit(worker: Worker, size: int) -> None:
    """Let the worker's files grow to so many bytes and no further."""
    resource.prlimit(worker.process.pid, resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
