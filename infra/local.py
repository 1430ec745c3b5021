"""The broker and the store of one machine: started where the settings leave them empty, found where they run."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import msgspec

from infra.errors import BrokerError, HeadraceError, StoreError
from infra.kafka import LocalKafka
from infra.redis import LocalRedis
from infra.settings import Settings

DEFAULT_DATA = Settings().home

# What a fresh start clears: the broker, the store, the models, and which files were published.
CLEARED = ("kafka", "redis", "checkpoints", "published")
_MARK = "headrace.data"
_STARTING_S = 30.0


class LocalServices:
    """Starts the services that the settings leave empty, and ends them after the block.

    A service that already runs on the data directory is used and left running.

    Parameters
    ----------
    settings : Settings
        An empty ``kafka.bootstrap`` or ``redis.url`` asks for the local service.
    fresh : bool
        Clear what the data directory holds first.

    Attributes
    ----------
    kafka : LocalKafka or None
    redis : LocalRedis or None
        What was started here.

    Examples
    --------
    >>> with LocalServices(load_settings()) as settings:  # doctest: +SKIP
    ...     print(settings.kafka.bootstrap, settings.redis.url)
    """

    def __init__(self, settings: Settings, *, fresh: bool = False) -> None:
        self._settings = settings
        self._fresh = fresh
        self._running = ExitStack()
        self.kafka: LocalKafka | None = None
        self.redis: LocalRedis | None = None

    def __enter__(self) -> Settings:
        with _usable(self._settings.home_dir) as home:
            if self._fresh:
                clear(home)
            _mark(home)
        with ExitStack() as stack:  # ends what has started where the rest cannot
            url = self._settings.redis.url or self._begin_redis(stack)
            bootstrap = self._settings.kafka.bootstrap or self._start_kafka(stack)
            if self.redis:
                self.redis.finish()  # it has loaded its data while Kafka started
            self._running = stack.pop_all()
        return _with_addresses(self._settings, bootstrap, url)

    def __exit__(self, *_: object) -> None:
        self._running.close()
        self.kafka = self.redis = None

    def check(self) -> None:
        """Raise when a service that was started here has ended by itself.

        Raises
        ------
        BrokerError, StoreError
        """
        for server in (self.kafka, self.redis):
            if server and server.pid is None:
                raise server.ERROR(
                    f"the embedded {server.NAME} has ended; see {' and '.join(server.LOGS)} in {server.directory}"
                )

    def _begin_redis(self, stack: ExitStack) -> str:
        directory = self._settings.home_dir / "redis"
        running = LocalRedis.attach(directory, _STARTING_S)
        if running:
            return running
        self.redis = LocalRedis(directory)
        stack.callback(self.redis.stop)
        self.redis.begin()
        return self.redis.url

    def _start_kafka(self, stack: ExitStack) -> str:
        directory = self._settings.home_dir / "kafka"
        running = LocalKafka.attach(directory, _STARTING_S)
        if running:
            return running
        self.kafka = stack.enter_context(LocalKafka(directory))
        return self.kafka.bootstrap


def find_services(settings: Settings) -> Settings:
    """Return the settings with the addresses of the services that run on their data directory filled in.

    Raises
    ------
    BrokerError, StoreError
        When one that the settings leave empty does not run.
    """
    url = settings.redis.url or LocalRedis.attach(settings.home_dir / "redis", _STARTING_S)
    if not url:
        raise StoreError(f"no Redis runs on {settings.home_dir}: start one with `headrace local`, or set redis.url")
    return _with_addresses(find_broker(settings), url=url)


def find_broker(settings: Settings) -> Settings:
    """Do what :func:`find_services` does for the broker alone.

    Raises
    ------
    BrokerError
        When it does not run.
    """
    bootstrap = settings.kafka.bootstrap or LocalKafka.attach(settings.home_dir / "kafka", _STARTING_S)
    if not bootstrap:
        raise BrokerError(
            f"no broker runs on {settings.home_dir}: start one with `headrace local`, or set kafka.bootstrap"
        )
    return _with_addresses(settings, bootstrap=bootstrap)


@contextmanager
def reading_store(settings: Settings) -> Iterator[str]:
    """Give the URL of the store to read from: the configured one, the running one, or one started for the block.

    Raises
    ------
    StoreError
        When the data directory holds no store.
    """
    directory = settings.home_dir / "redis"
    url = settings.redis.url or LocalRedis.attach(directory, _STARTING_S)
    if url:
        yield url
        return
    if not directory.exists():
        raise StoreError(
            f"there are no lists in {settings.home_dir} yet: start `headrace run` or `headrace local`, or set redis.url"
        )
    with LocalRedis(directory) as store:
        yield store.url


def clear(home: Path) -> None:
    """Remove what earlier runs have left in a data directory.

    Raises
    ------
    HeadraceError
        When the directory does not look like ours, or when a service runs on it.
    """
    if not _is_ours(home):
        raise HeadraceError(
            f"{home} was not made by Headrace (it has no file {_MARK}), so nothing in it is cleared: "
            "name another data directory"
        )
    for server in (LocalKafka, LocalRedis):
        address = server.attach(home / server.NAME.lower(), _STARTING_S)
        if address:
            raise HeadraceError(f"{home} is in use by the {server.NAME} at {address}: end it before a fresh start")
    for name in CLEARED:
        if (home / name).exists():
            shutil.rmtree(home / name)


@contextmanager
def _usable(home: Path) -> Iterator[Path]:
    try:
        yield home
    except OSError as error:
        raise HeadraceError(
            f"the data directory {home} cannot be used: {error}; name one that you may write to"
        ) from error


def _is_ours(home: Path) -> bool:
    known = home.name == DEFAULT_DATA or (home / _MARK).exists()
    return known or not home.exists() or not any(home.iterdir())


def _mark(home: Path) -> None:
    """Mark a new or empty directory as ours; one with other things in it is used, but never cleared."""
    if _is_ours(home):
        home.mkdir(parents=True, exist_ok=True)
        (home / _MARK).write_text("Headrace's data: `--fresh` may clear this directory.\n", "utf-8")


def _with_addresses(settings: Settings, bootstrap: str | None = None, url: str | None = None) -> Settings:
    replace = msgspec.structs.replace
    return replace(
        settings,
        kafka=replace(settings.kafka, bootstrap=bootstrap or settings.kafka.bootstrap),
        redis=replace(settings.redis, url=url or settings.redis.url),
    )
