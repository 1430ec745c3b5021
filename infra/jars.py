"""Apache Kafka's jars: resolved and downloaded once from Maven Central, from then on found without the network."""

from __future__ import annotations

import fcntl
import json
import os
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from infra.errors import BrokerError

KAFKA_VERSION = "4.4.0"
LOG4J_VERSION = "2.25.5"  # Kafka's own; its POM leaves the logging backend to whoever runs it
_TIMEOUT_S = 60


def cache_dir() -> Path:
    """Return where downloads are kept: ``headrace`` in ``XDG_CACHE_HOME`` or ``~/.cache``."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "headrace"


def kafka_jars(cache: Path | None = None) -> list[Path]:
    """Return the jars of a Kafka broker, after downloading those that are missing.

    Parameters
    ----------
    cache : Path, optional
        Instead of :func:`cache_dir`.

    Raises
    ------
    BrokerError
        When something is missing and cannot be downloaded.
    """
    repository = (cache or cache_dir()) / "maven"
    jars = _indexed(repository)
    if jars is None:
        repository.mkdir(parents=True, exist_ok=True)
        with _locked(repository):
            jars = _indexed(repository) or _downloaded(repository)
    return jars


def _index(repository: Path) -> Path:
    return repository / f"kafka-{KAFKA_VERSION}.json"


def _indexed(repository: Path) -> list[Path] | None:
    """Return the jars that the index lists, or ``None`` where one is missing or not of its size."""
    try:
        sizes: dict[str, int] = json.loads(_index(repository).read_text("utf-8"))
        whole = all((repository / jar).stat().st_size == size for jar, size in sizes.items())
    except (OSError, ValueError):
        return None
    return [repository / jar for jar in sizes] if whole else None


def _write_index(repository: Path, jars: list[Path]) -> None:
    sizes = {str(jar.relative_to(repository)): jar.stat().st_size for jar in jars}
    partial = _index(repository).with_suffix(".part")
    partial.write_text(json.dumps(sizes, indent=1), "utf-8")
    partial.replace(_index(repository))


@contextmanager
def _locked(repository: Path) -> Iterator[None]:
    with (repository / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _downloaded(repository: Path) -> list[Path]:
    _remove_cut_files(repository)
    try:
        with _Meter(f"Apache Kafka {KAFKA_VERSION}") as meter:
            jars = _resolve(repository, meter)
        damaged = [jar.name for jar in jars if not _is_whole_jar(jar)]
        if damaged:
            raise OSError(f"{', '.join(damaged)} arrived damaged")
    except Exception as error:  # jgo names none of its errors, and a portal's page in place of a POM can raise any
        raise BrokerError(
            f"cannot download Apache Kafka {KAFKA_VERSION} into {repository}: {error}; connect to the network and "
            "start again, or set kafka.bootstrap to a broker that runs elsewhere"
        ) from error
    _write_index(repository, jars)
    return jars


def _resolve(repository: Path, meter: _Meter) -> list[Path]:
    # Not at the top of the file: a warm start needs none of it.
    from jgo.maven import MavenContext, PythonResolver  # noqa: PLC0415
    from jgo.parse import Coordinate  # noqa: PLC0415

    context = MavenContext(
        resolver=PythonResolver(progress_callback=meter.download), repo_cache=repository, timeout=_TIMEOUT_S
    )
    # raw: otherwise jgo takes log4j's dependency management for ours, which pins an older kafka-clients.
    wanted = [
        Coordinate("org.apache.kafka", "kafka_2.13", KAFKA_VERSION, scope="compile", raw=True),
        Coordinate("org.apache.logging.log4j", "log4j-slf4j-impl", LOG4J_VERSION, scope="compile", raw=True),
    ]
    inputs, transitive = context.resolver.resolve([context.create_dependency(coordinate) for coordinate in wanted])
    needed = [dependency for dependency in (*inputs, *transitive) if dependency.scope in ("compile", "runtime")]
    meter.expect(len(needed))
    return [meter.have(Path(dependency.artifact.resolve())) for dependency in needed]


def _remove_cut_files(repository: Path) -> None:
    """Remove what an interrupted download has left: jgo writes in place and takes any file for a whole one."""
    for path in repository.rglob("*.*"):
        if (path.suffix == ".jar" and not _is_whole_jar(path)) or (path.suffix == ".pom" and not _is_whole_pom(path)):
            path.unlink()


def _is_whole_jar(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as jar:
            return jar.testzip() is None
    except zipfile.BadZipFile:
        return False


def _is_whole_pom(path: Path) -> bool:
    try:
        ElementTree.parse(path)
    except ElementTree.ParseError:
        return False
    return True


class _Meter:
    """One line of progress on stderr, shown from the first download on."""

    def __init__(self, what: str) -> None:
        self._line = Progress(
            TextColumn(what),
            BarColumn(),
            TextColumn("{task.completed:.0f} of {task.fields[jars]} jars, {task.fields[megabytes]:.1f} MB"),
            TimeElapsedColumn(),
            console=Console(stderr=True),
        )
        self._task = self._line.add_task("", total=None, jars="?", megabytes=0.0)
        self._bytes = 0

    def __enter__(self) -> _Meter:
        return self

    def __exit__(self, *_: object) -> None:
        self._line.stop()

    @contextmanager
    def download(self, _name: str, _size: int) -> Iterator[Callable[[int], None]]:
        """Count a download's bytes; the form that jgo asks for."""
        self._line.start()
        yield self._add

    def expect(self, jars: int) -> None:
        """Take the number of jars, now that it is known."""
        self._line.update(self._task, total=jars, jars=jars)

    def have(self, jar: Path) -> Path:
        """Count a jar."""
        self._line.advance(self._task)
        return jar

    def _add(self, count: int) -> None:
        self._bytes += count
        self._line.update(self._task, megabytes=self._bytes / 1e6)
