"""What routes take: ids, counts and lists of ids, as FastAPI's parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated

from fastapi import Path
from starlette.convertors import PathConvertor, register_url_convertor

from contracts.events import MAX_ID_BYTES

DEFAULT_N = 10
Identifier = Annotated[str, Path(min_length=1, max_length=MAX_ID_BYTES)]


class _AnyText(PathConvertor):
    """Ids may hold line breaks, where Starlette's own convertor ends."""

    regex = "(?s:.*)"


register_url_convertor("id", _AnyText())


def ids(values: Iterable[str]) -> set[str]:
    """Return the ids that a parameter names, which may be repeated or hold several separated by commas.

    An id may itself contain a comma, so the whole value counts as well as its parts.
    """
    return {part for value in values for part in (value, *value.split(","))} - {""}
