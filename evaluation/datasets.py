"""Data sets: sources of typed events in the order in which they happened, recognised by what is in them.

A row that cannot be used is not an exception: it is yielded as a :class:`Dropped`, so that whoever reads can count it
and show it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Protocol

from contracts.events import Item
from evaluation.jsonlines import JsonLines
from evaluation.movielens import LAYOUTS, MovieLens
from evaluation.online_retail import FILE as ONLINE_RETAIL
from evaluation.online_retail import OnlineRetail
from evaluation.open_bandit import OpenBandit, files_of
from evaluation.regimes import PREFIX as SIMULATED
from evaluation.regimes import open_simulated
from evaluation.rows import DatasetError, Dropped, Row
from evaluation.tabular import Csv

__all__ = ["Dataset", "DatasetError", "Dropped", "Row", "open_dataset"]


class Dataset(Protocol):
    """A source of events."""

    @property
    def name(self) -> str:
        """What to call it: the name of its folder or file."""

    @property
    def files(self) -> tuple[Path, ...]:
        """The files that are read; empty when that is possible only once, as with standard input, or there are none."""

    @property
    def size(self) -> int | None:
        """How many rows :meth:`events` yields, where that can be known."""

    def events(self) -> Iterator[Row]:
        """Yield the events in their order, and the rows that cannot be used."""

    def items(self) -> Iterator[Item]:
        """Yield what is known of the items beforehand."""


def open_dataset(path: str | Path, columns: Mapping[str, str] | None = None) -> Dataset:
    """Recognise a data set.

    Parameters
    ----------
    path : str or Path
        A MovieLens folder (100K, 1M, 10M, latest), the folder of Online Retail or Open Bandit, a file of JSON lines,
        or ``-`` for JSON lines on standard input. Any file may be compressed with zstandard. Or
        ``simulated:REGIME``, see :mod:`evaluation.regimes`.
    columns : mapping of str to str, optional
        Makes it a CSV file: field → name of its column, see :data:`evaluation.tabular.FIELDS`.

    Raises
    ------
    DatasetError
        When nothing is there, or a folder without any file of ratings. A file that turns out to be unreadable raises
        the same error later.
    """
    if str(path) == "-":
        return JsonLines(None)
    if str(path).startswith(SIMULATED):
        return open_simulated(str(path))
    path = Path(path)
    if not path.exists():
        raise DatasetError(f"{path} does not exist")
    if columns:
        return Csv(path, columns)
    if path.is_file() and path.name.removesuffix(".zst") in {ONLINE_RETAIL, *(layout.ratings for layout in LAYOUTS)}:
        path = path.parent
    if not path.is_dir():
        return JsonLines(path)
    for layout in LAYOUTS:
        if ratings := _find(path, layout.ratings):
            return MovieLens(layout, ratings, _find(path, layout.films))
    if purchases := _find(path, ONLINE_RETAIL):
        return OnlineRetail(purchases)
    if impressions := files_of(path):
        return OpenBandit(path, impressions)
    expected = ", ".join((*(layout.ratings for layout in LAYOUTS), ONLINE_RETAIL, "random/men/men.csv"))
    raise DatasetError(
        f"{path} holds none of {expected}: a folder must be MovieLens, Online Retail or Open Bandit; send other events "
        "as JSON lines"
    )


def _find(folder: Path, name: str) -> Path | None:
    return next((path for path in (folder / name, folder / f"{name}.zst") if path.is_file()), None)
