"""JSON lines: one event a line, read as a stream, so that a file or a pipe may be of any length."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from pathlib import Path

import msgspec

from contracts.events import KINDS, Event, Impression, Item, User, kind_of
from evaluation.rows import Dropped, Row, opened

MAX_LINE = 512 * 1024  # bytes; what is longer is cut there and so no JSON: a message of Kafka holds 1 MB


class JsonLines:
    """One JSON object a line, in the order of the file.

    Its fields say which event it is, see :func:`contracts.events.kind_of`. Each line is one row.

    Parameters
    ----------
    path : Path or None
        ``None`` reads standard input.
    """

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self.name = path.name if path else "standard input"
        self.files = (path,) if path and path.is_file() else ()

    @cached_property
    def size(self) -> int | None:
        """Number of lines, for which a file is read once more; ``None`` for a pipe."""
        return sum(1 for _ in self._lines()) if self.files else None

    def events(self) -> Iterator[Row]:
        """Yield each line as the event that it is."""
        for number, line in self._lines():
            yield _event(number, line)

    def items(self) -> Iterator[Item]:
        """Yield nothing: items stand among the events."""
        return iter(())

    def _lines(self) -> Iterator[tuple[int, bytes]]:
        with opened(self._path) as file:
            number = 0
            while line := file.readline(MAX_LINE):
                number += 1
                yield number, line
                while len(line) == MAX_LINE and not line.endswith(b"\n"):
                    line = file.readline(MAX_LINE)


_decoders = {kind: msgspec.json.Decoder(kind) for kind in KINDS.values()}


def _event(number: int, line: bytes) -> Row:
    if line.isspace():
        return Dropped("blank", number, "", "the line is empty")
    try:
        return _with_text_ids(_decoders[kind_of(line)].decode(line))
    except msgspec.ValidationError as error:
        return Dropped.of("invalid", number, line, str(error))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        return Dropped.of("malformed", number, line, str(error))


def _with_text_ids(event: Event) -> Event:
    """Make strings of ids that were numbers, as :func:`contracts.events.decode` does."""
    if isinstance(event, Item):
        event.item = str(event.item)
        return event
    event.user = str(event.user)
    if isinstance(event, Impression):
        event.items = list(map(str, event.items))
    elif not isinstance(event, User):
        event.item = str(event.item)
    return event
