"""The MovieLens folders: ratings in time order, and films with title and genres."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contracts.events import Item, Rating
from evaluation.rows import CHUNK, DatasetError, Dropped, Row, opened

Film = tuple[str, str, list[str]]
"""Id, title with the year as published, genres."""


@dataclass(frozen=True)
class Layout:
    """How a generation of MovieLens files is written.

    Parameters
    ----------
    ratings, films : str
        Names of the files.
    separator : bytes
        Between the fields of a rating: user, item, rating, time in seconds.
    read_films : callable
        Text of the file of films → films.
    header : bytes
        First line of the ratings; empty when there is none.
    """

    ratings: str
    films: str
    separator: bytes
    read_films: Callable[[str], Iterator[Film]]
    header: bytes = b""


class MovieLens:
    """A MovieLens folder; of ratings of the same second, the one that stands earlier in the file comes first.

    Parameters
    ----------
    layout : Layout
        How the files are written.
    ratings : Path
        The file of ratings.
    films : Path or None
        The file of films.
    """

    def __init__(self, layout: Layout, ratings: Path, films: Path | None) -> None:
        self._layout, self._ratings, self._films = layout, ratings, films
        self.name = ratings.absolute().parent.name
        self.files = (ratings, films) if films else (ratings,)

    @property
    def size(self) -> int:
        """Number of rows in the file of ratings."""
        ratings, dropped = self._rows
        return len(ratings) + len(dropped)

    def events(self) -> Iterator[Row]:
        """Yield the rows that cannot be used, then the ratings."""
        ratings, dropped = self._rows
        yield from dropped
        order = np.argsort(ratings["time"], kind="stable")
        for first in range(0, len(order), _STEP):
            for user, item, rating, seconds in ratings[order[first : first + _STEP]].tolist():
                yield Rating(str(user), str(item), rating, seconds * 1000)

    def items(self) -> Iterator[Item]:
        """Yield the films."""
        if self._films is None:
            return
        with opened(self._films) as file:
            text = _text(file.read())
        for film, title, genres in self._layout.read_films(text):
            yield Item(film, title=title or None, categories=[genre for genre in genres if genre not in _NO_GENRE])

    @cached_property
    def _rows(self) -> tuple[NDArray[np.void], list[Dropped]]:
        parts: list[NDArray[np.void]] = [np.empty(0, _RATING)]
        dropped: list[Dropped] = []
        with opened(self._ratings) as file:
            line = self._skip_header(file)
            while lines := file.readlines(CHUNK):
                for part in _parsed(lines, line, self._layout.separator):
                    if isinstance(part, Dropped):
                        dropped.append(part)
                    else:
                        parts.append(part)
                line += len(lines)
        return np.concatenate(parts), dropped

    def _skip_header(self, file: io.BufferedReader) -> int:
        """Return the number of the line where the ratings begin."""
        expected = self._layout.header
        if not expected:
            return 1
        header = file.readline().strip().removeprefix(b"\xef\xbb\xbf")
        if header != expected:
            raise DatasetError(
                f"{self._ratings} begins with {header[:80].decode('utf-8', 'replace')!r}, not with "
                f"{expected.decode()!r}: it is not MovieLens; send other events as JSON lines"
            )
        return 2


def _films_with_flags(text: str) -> Iterator[Film]:
    for line in text.split("\n"):
        film, title, _, _, _, *flags = (line.rstrip("\r") + "|" * 4).split("|")
        if film:
            yield film, title, [genre for genre, flag in zip(_FLAGS, flags, strict=False) if flag == "1"]


def _films_with_colons(text: str) -> Iterator[Film]:
    for line in text.split("\n"):
        film, title, genres, *_ = (line.rstrip("\r") + "::" * 2).split("::")
        if film:
            yield film, title, genres.split("|")


def _films_in_csv(text: str) -> Iterator[Film]:
    rows = csv.reader(io.StringIO(text, newline=""))
    next(rows, None)  # the header
    for row in rows:
        film, title, genres, *_ = (*row, "", "", "")
        if film:
            yield film, title, genres.split("|")


LAYOUTS = (
    Layout("u.data", "u.item", b"\t", _films_with_flags),
    Layout("ratings.dat", "movies.dat", b"::", _films_with_colons),
    Layout("ratings.csv", "movies.csv", b",", _films_in_csv, b"userId,movieId,rating,timestamp"),
)
_RATING = np.dtype([("user", "i8"), ("item", "i8"), ("rating", "f8"), ("time", "i8")])
_STEP = 1 << 14  # ratings turned into events at once
_NO_GENRE = frozenset({"", "unknown", "(no genres listed)"})
_FLAGS = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip


def _parsed(lines: list[bytes], first: int, separator: bytes) -> Iterator[NDArray[np.void] | Dropped]:
    """Parse lines at once; where that fails, halve them until the bad one stands alone."""
    text = b"".join(lines).replace(separator, b"\t").decode("latin-1")
    if not text.strip():
        return
    try:
        yield np.loadtxt(io.StringIO(text), dtype=_RATING, delimiter="\t", comments=None, ndmin=1)
    except ValueError:
        if len(lines) == 1:
            yield Dropped.of("malformed", first, lines[0], "expected four numbers: user, item, rating and seconds")
            return
        half = len(lines) // 2
        yield from _parsed(lines[:half], first, separator)
        yield from _parsed(lines[half:], first + half, separator)


def _text(raw: bytes) -> str:
    """Decode a file of films: the newer ones are in UTF-8, the older ones in latin-1 and no valid UTF-8."""
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
