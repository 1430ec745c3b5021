"""What every reader of files shares: the row that cannot be used, and how a file is opened."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import zstandard

from contracts.events import Event

CHUNK = 1 << 20  # bytes read at once
_SHOWN = 120  # characters of a row that cannot be used
_ARCHIVES = (b"PK\x03\x04", b"\x1f\x8b")  # zip and gzip


class DatasetError(ValueError):
    """A path that cannot be read as a data set; the text says what is expected instead."""


@dataclass(frozen=True)
class Dropped:
    """A row that cannot be used.

    Parameters
    ----------
    reason : str
        One of the short names of :class:`contracts.events.InvalidEvent`, or ``"blank"``.
    line : int
        Where it stands, from 1: its line in the file.
    text : str
        How it begins.
    detail : str
        What is wrong with it.
    """

    reason: str
    line: int
    text: str
    detail: str

    @classmethod
    def of(cls, reason: str, line: int, row: bytes, detail: str) -> Dropped:
        """Cut a row of any length and content down to what can be shown of it."""
        text = row[: 4 * _SHOWN].decode("utf-8", "replace").strip()[:_SHOWN]
        return cls(reason, line, "".join(char if char.isprintable() else " " for char in text), detail)


Row = Event | Dropped


@contextmanager
def opened(path: Path | None) -> Iterator[io.BufferedReader]:
    """Open a file, or standard input for ``None``, through zstandard where its first bytes say so.

    Raises
    ------
    DatasetError
        When it cannot be read, now or later in the block.
    """
    name = path or "standard input"
    try:
        with path.open("rb") if path else open(0, "rb", closefd=False) as file:
            head = file.peek(4)[:4]
            if head.startswith(_ARCHIVES):
                raise DatasetError(f"{name} is an archive; unpack it first")
            if head == zstandard.FRAME_HEADER:
                unpacked = zstandard.ZstdDecompressor().stream_reader(file, read_across_frames=True)
                yield io.BufferedReader(unpacked, CHUNK)
            else:
                yield file
    except (OSError, zstandard.ZstdError) as error:
        raise DatasetError(f"cannot read {name}: {error}") from error
