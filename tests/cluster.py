"""A real Redis Cluster on loopback, put together by the commands that ``redis-cli --cluster create`` would send."""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import redis

from infra.ports import HOST, free_port
from infra.redis import LocalRedis

SLOTS = 16384
WAIT_S = 60
_OPTIONS = {
    "cluster-enabled": "yes",
    # Long: on a busy machine a node may be late without being gone. Tests say themselves when a replica takes over.
    "cluster-node-timeout": "10000",
    # The other nodes serve on while one is away, as operators have it who would rather be slow than down.
    "cluster-require-full-coverage": "no",
    "cluster-replica-validity-factor": "0",
}
# The cluster's bus listens ten thousand above; both below where the system takes ports for outgoing connections.
_PORTS, _BUS = range(10_000, 22_000), 10_000


Announced = Callable[[int], int]
"""Port of a node → the one at which clients reach it."""


class LocalCluster:
    """Masters that share the slots out evenly, and replicas of the first of them."""

    def __init__(
        self, directory: Path, masters: int = 3, replicas: int = 0, announced: Announced | None = None
    ) -> None:
        self.nodes = [_node(directory / str(number), announced) for number in range(masters + replicas)]
        self.masters = masters

    @property
    def url(self) -> str:
        """Of the first node that runs."""
        return next(node.url for node in self.nodes if node.pid is not None)

    def start(self) -> None:
        for node in self.nodes:
            node.begin()
        for node in self.nodes:
            node.finish()
        bounds = [SLOTS * number // self.masters for number in range(self.masters + 1)]
        for number in range(self.masters):
            self.ask(number, "CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            self.ask(number, "CLUSTER", "ADDSLOTS", *range(bounds[number], bounds[number + 1]))
        for node in self.nodes[1:]:
            self.ask(0, "CLUSTER", "MEET", HOST, node.url.rpartition(":")[2].partition("/")[0])
        self.wait(lambda: all(self.info(number)["cluster_known_nodes"] == str(len(self.nodes)) for number in self.all))
        first = self.ask(0, "CLUSTER", "MYID")
        for number in range(self.masters, len(self.nodes)):
            self.wait(lambda number=number: self.ask(number, "CLUSTER", "REPLICATE", first) == b"OK")
            self.wait(lambda number=number: "master_link_status:up" in self.ask(number, "INFO", "replication"))
        self.wait(self.whole)

    @property
    def all(self) -> range:
        return range(len(self.nodes))

    def whole(self) -> bool:
        """Whether every node that runs says that all slots are served, and all say by whom."""
        running = [number for number in self.all if self.nodes[number].pid is not None]
        told = [self.info(number) for number in running]
        agreed = {tuple(sorted((first, last, *by[:2]) for first, last, by, *_ in self._slots(n))) for n in running}
        well = (each["cluster_state"] == "ok" and each["cluster_slots_ok"] == str(SLOTS) for each in told)
        return all(well) and len(agreed) == 1

    def _slots(self, number: int) -> list[Any]:
        found: list[Any] = self.ask(number, "CLUSTER", "SLOTS")
        return found

    def ask(self, number: int, *words: Any) -> Any:
        """Ask one node, whatever the others hold; text where it answers with much of it."""
        with redis.Redis.from_url(self.nodes[number].url, protocol=2) as client:
            try:
                answer = client.connection_pool.get_connection()
                answer.send_command(*words)
                found = answer.read_response()
            except redis.ResponseError as error:
                return str(error)
        return found.decode() if isinstance(found, bytes) and b"\n" in found else found

    def info(self, number: int) -> dict[str, str]:
        pairs = (line.split(":", 1) for line in self.ask(number, "CLUSTER", "INFO").split())
        return dict(pairs)

    def serving(self) -> list[int]:
        """The numbers of the nodes that are masters now."""
        return [number for number in self.all if "role:master" in self.ask(number, "INFO", "replication")]

    def held(self, pattern: str = "*") -> list[list[str]]:
        """The keys that each master holds itself."""
        return [sorted(key.decode() for key in self.ask(number, "KEYS", pattern)) for number in self.serving()]

    def part(self, number: int) -> None:
        """Let a replica hear nothing more from its master: a password that this one does not have keeps them apart."""
        self.ask(number, "CONFIG", "SET", "masterauth", "wrong")
        self.ask(number, "CLIENT", "KILL", "TYPE", "master")
        self.wait(lambda: "master_link_status:down" in self.ask(number, "INFO", "replication"))

    def take_over(self, number: int) -> None:
        """Let a replica take its master's place at once, as it does when the others agree that this one is gone."""
        assert self.ask(number, "CLUSTER", "FAILOVER", "TAKEOVER") == b"OK"
        self.wait(self.whole)

    def wait(self, reached: Callable[[], bool]) -> None:
        deadline = time.monotonic() + WAIT_S
        while True:
            with suppress(redis.ConnectionError):
                if reached():
                    return
            assert time.monotonic() < deadline, [self.info(number) for number in self.all if self.nodes[number].pid]
            time.sleep(0.05)

    def stop(self) -> None:
        for node in self.nodes:
            if node.pid is not None:
                node.kill()


def _node(directory: Path, announced: Announced | None) -> LocalRedis:
    directory.mkdir(parents=True)
    port = _port()
    (directory / "ports.json").write_text(json.dumps([port]))
    more = {"cluster-announce-port": str(announced(port))} if announced else {}
    return LocalRedis(directory, options=_OPTIONS | more)


_taken: set[int] = set()


def _port() -> int:
    while True:
        port = random.choice(_PORTS)
        if port not in _taken and all(free_port(HOST, each) == each for each in (port, port + _BUS)):
            _taken.add(port)
            return port


@contextmanager
def clustered(directory: Path, replicas: int = 0, announced: Announced | None = None) -> Iterator[LocalCluster]:
    """Run three masters for the time of a block, and replicas of the first of them."""
    cluster = LocalCluster(directory, 3, replicas, announced)
    try:
        cluster.start()
        yield cluster
    finally:
        cluster.stop()


def spread(cluster: LocalCluster, keys: Iterable[str]) -> int:
    """How many of the masters hold any of some keys."""
    wanted = set(keys)
    return sum(bool(wanted & set(held)) for held in cluster.held())
