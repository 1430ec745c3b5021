"""What can happen to a worker and its services while events arrive: each a method that leaves everything running."""

from __future__ import annotations

import os
import random
import threading
import time
from collections import deque
from pathlib import Path

from benchmarks.parts.supervised import SupervisedWorker
from infra.errors import HeadraceError
from infra.failpoints import EXIT_STATUS
from infra.local import LocalServices
from infra.redis import LocalRedis

_WITHIN_S = 3.0
_AWAY_S = 2.0
_SAMPLE_S = 0.05
# What Redis, told to sync its file every second, may lose when the machine dies.
_UNSYNCED_S = 1.0


class Disturbances:
    """Causes them, at random moments within three seconds.

    Parameters
    ----------
    worker : SupervisedWorker
    services : LocalServices
        Started here, so that they can be ended.
    rng : random.Random
    """

    def __init__(self, worker: SupervisedWorker, services: LocalServices, rng: random.Random) -> None:
        self._worker, self._services, self._rng = worker, services, rng

    def kill(self) -> None:
        """End the worker with SIGKILL, and start it again."""
        self._wait(_WITHIN_S)
        self._worker.kill()
        self._worker.start()

    def failpoint(self, name: str, passes: int) -> None:
        """Start the worker anew so that it dies at the n-th pass of a step; see that it did, and start it again.

        Raises
        ------
        HeadraceError
            When it does not come to the step, or ends with another status.
        """
        self._worker.kill()
        self._worker.start(f"{name}:{passes}")
        status = self._worker.wait_until_ended()
        if status != EXIT_STATUS:
            raise HeadraceError(f"the worker ended with status {status}, not at {name}: {self._worker.last_words()}")
        self._worker.start()

    def broker(self) -> None:
        """End Kafka with SIGKILL, and start it again on the same data."""
        kafka = self._services.kafka
        assert kafka is not None, "Kafka is not ours"
        self._wait(_WITHIN_S)
        kafka.kill()
        self._wait(_AWAY_S)
        kafka.start()

    def redis(self) -> None:
        """End Redis as a power failure would: it comes back without what it wrote in its last second."""
        redis = self._services.redis
        assert redis is not None, "Redis is not ours"
        with _Synced(redis) as synced:
            time.sleep(_UNSYNCED_S)
            self._wait(_WITHIN_S)
            redis.kill()
            synced.cut()
        self._wait(_AWAY_S)
        redis.start()

    def _wait(self, longest: float) -> None:
        time.sleep(self._rng.uniform(0.0, longest))


class _Synced:
    """Knows how long Redis' file was a second ago."""

    def __init__(self, redis: LocalRedis) -> None:
        self._redis, self._ended = redis, threading.Event()
        self._lengths: deque[tuple[float, int]] = deque()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def __enter__(self) -> _Synced:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join()

    def cut(self) -> None:
        """Take from the file what was written to it in the last second."""
        ago = time.monotonic() - _UNSYNCED_S
        length = next((length for at, length in reversed(self._lengths) if at <= ago), self._lengths[0][1])
        os.truncate(self._file(), length)

    def _watch(self) -> None:
        while not self._ended.wait(_SAMPLE_S):
            self._lengths.append((time.monotonic(), self._file().stat().st_size))

    def _file(self) -> Path:
        # Redis 7 has a folder of them, and appends to the newest.
        parts = (self._redis.directory / "appendonlydir").glob("*.incr.aof")
        newest = max(parts, key=lambda path: path.stat().st_mtime, default=None)
        return newest or self._redis.directory / "appendonly.aof"
