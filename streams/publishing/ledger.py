"""How far a file got: one small file for each data set and Kafka cluster, so that publishing twice sends once."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import msgspec
import xxhash

from infra.errors import HeadraceError
from infra.settings import Settings

_CHUNK = 1 << 20  # bytes


class Mark(msgspec.Struct, frozen=True):
    """How far a data set got.

    Parameters
    ----------
    source : str
        Its name, for people.
    rows : int
        Rows from its beginning that are done: acknowledged by Kafka, or dropped.
    events : int
        The acknowledged ones.
    complete : bool
        Whether no row is left.
    """

    source: str = ""
    rows: int = 0
    events: int = 0
    complete: bool = False


class Ledger:
    """Remembers one data set on one cluster.

    Parameters
    ----------
    folder : Path
        ``published`` in the data directory.
    source : str
        :func:`fingerprint` of the data set.
    cluster, prefix : str
        Where its events go: the id of the Kafka cluster and the prefix of the topics.
    """

    def __init__(self, folder: Path, source: str, cluster: str, prefix: str) -> None:
        self._path = folder / f"{source}.{cluster}.{prefix}.json"

    @classmethod
    def of(cls, settings: Settings, files: Sequence[Path], cluster: str) -> Ledger | None:
        """Return the ledger of a data set's files; ``None`` when it has none, being a pipe.

        Raises
        ------
        HeadraceError
            When a file cannot be read.
        """
        if not files:
            return None
        return cls(directory(settings), fingerprint(files), cluster, settings.kafka.prefix)

    def load(self) -> Mark:
        """Return the last mark; the beginning when there is none.

        Raises
        ------
        HeadraceError
            When the file is not one of ours.
        """
        try:
            return msgspec.json.decode(self._path.read_bytes(), type=Mark)
        except FileNotFoundError:
            return Mark()
        except (OSError, msgspec.DecodeError) as error:
            raise HeadraceError(
                f"cannot tell how far the data set got: {self._path}: {error}; remove that file to publish from the "
                "beginning"
            ) from error

    def save(self, mark: Mark) -> None:
        """Replace the mark, whole or not at all; see :func:`write_whole`."""
        write_whole(self._path, msgspec.json.encode(mark))


def directory(settings: Settings) -> Path:
    """Return where ledgers are kept."""
    return settings.home_dir / "published"


def fingerprint(files: Sequence[Path]) -> str:
    """Return what identifies files by their content, wherever they stand: the sizes together and a hash of all.

    Raises
    ------
    HeadraceError
        When a file cannot be read.
    """
    total, digest = 0, xxhash.xxh3_64()
    for path in files:
        try:
            with path.open("rb") as file:
                size = os.fstat(file.fileno()).st_size
                total += size
                digest.update(size.to_bytes(8, "little"))  # where one file ends is part of the content
                while chunk := file.read(_CHUNK):
                    digest.update(chunk)
        except OSError as error:
            raise HeadraceError(f"cannot read {path}: {error.strerror}") from error
    return f"{total}-{digest.hexdigest()}"


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that a crash leaves either the old content or the new one.

    Raises
    ------
    HeadraceError
        When it cannot be written.
    """
    part = path.with_name(f"{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise HeadraceError(f"cannot remember what was published in {path}: {error.strerror}") from error
