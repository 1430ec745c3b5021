"""Tables as CSV with a header line: one event a row, in columns that the caller names."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from contracts.events import Click, Item, Rating
from evaluation.rows import DatasetError, Dropped, Row, opened

FIELDS = ("user", "item", "time", "rating", "type", "id")
"""What a column can be."""
REQUIRED = ("user", "item", "time")
_LATEST_MS = 1e15
_MILLISECONDS = 1e11  # times from there on are in milliseconds, those below in seconds: the year 5138 or 1973


class Csv:
    """A CSV file in UTF-8 whose columns are named; rows in the order of the file.

    Parameters
    ----------
    path : Path
        The file.
    columns : mapping of str to str
        Field of :data:`FIELDS` → name of its column. With a rating column rows are ratings, else clicks.

    Raises
    ------
    DatasetError
        When a field is unknown, or one of :data:`REQUIRED` has no column.
    """

    def __init__(self, path: Path, columns: Mapping[str, str]) -> None:
        if unknown := [field for field in columns if field not in FIELDS]:
            raise DatasetError(f"{unknown[0]!r} is no field of an event; there are {', '.join(FIELDS)}")
        if missing := [field for field in REQUIRED if field not in columns]:
            raise DatasetError(f"no column is named for {', '.join(missing)}: write {missing[0]}=COLUMN")
        self._path, self._columns = path, dict(columns)
        self.name = path.name
        self.files = (path,)
        self.size = None

    def events(self) -> Iterator[Row]:
        """Yield each row as a click or a rating."""
        with table(self._path, self._columns.values()) as rows:
            for line, row in rows:
                yield self._event(line, row)

    def items(self) -> Iterator[Item]:
        """Yield nothing: a table of events says nothing about items."""
        return iter(())

    def _event(self, line: int, row: Mapping[str, str]) -> Row:
        fields = {field: row[column] or "" for field, column in self._columns.items()}
        try:
            time = milliseconds(fields["time"])
            own = fields.get("id") or None
            if "rating" in fields:
                return Rating(fields["user"], fields["item"], float(fields["rating"]), time, own)
            return Click(fields["user"], fields["item"], time, fields.get("type") or "click", id=own)
        except ValueError as error:
            return Dropped.of("invalid", line, ",".join(fields.values()).encode(), str(error))


@contextmanager
def table(path: Path, columns: Iterable[str]) -> Iterator[Iterator[tuple[int, dict[str, str]]]]:
    """Open a CSV file; give (line, row) one after the other.

    Raises
    ------
    DatasetError
        When one of the ``columns`` is not in the header, or the file is no table.
    """
    with opened(path) as file:
        reader = csv.DictReader(io.TextIOWrapper(file, "utf-8-sig", "replace", newline=""), restval="")
        try:
            header = list(reader.fieldnames or [])
        except csv.Error as error:
            raise DatasetError(f"{path} is no CSV: {error}") from error
        if absent := [column for column in columns if column not in header]:
            raise DatasetError(f"{path} has no column {absent[0]!r}; it has {', '.join(header)[:200]}")
        yield ((reader.line_num, row) for row in reader)


def milliseconds(text: str) -> int:
    """Return a time in ms since the epoch: written so, in seconds, or as ISO 8601, UTC unless it says otherwise.

    Raises
    ------
    ValueError
        When it is none of these.
    """
    try:
        number = float(text)
    except ValueError:
        moment = datetime.fromisoformat(text.strip())
        return round((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
    if not 0 <= number < _LATEST_MS:
        raise ValueError(f"{text!r} is no time; write seconds or milliseconds since the epoch, or ISO 8601")
    return round(number if number >= _MILLISECONDS else number * 1000)
