"""What routes take: ids, counts and lists of ids, as FastAPI's parameters."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated
from urllib.parse import quote, unquote

from fastapi import Path
from starlette.convertors import Convertor, register_url_convertor

from contracts.events import MAX_ID_BYTES

DEFAULT_N = 10
Identifier = Annotated[str, Path(min_length=1, max_length=MAX_ID_BYTES)]


class _Segment(Convertor[str]):
    """One part of the path as it was sent; see :class:`serving.routes.route.Route`."""

    regex = "[^/]*"  # empty too, so that it is refused with a reason

    def convert(self, value: str) -> str:
        return unquote(value, errors="surrogateescape")  # what is no UTF-8 is refused as no text

    def to_string(self, value: str) -> str:
        return quote(value, safe="", errors="surrogateescape")


register_url_convertor("id", _Segment())


def ids(values: Iterable[str]) -> set[str]:
    """Return the ids that a parameter names, which may be repeated or hold several separated by commas.

    An id may itself contain a comma, so the whole value counts as well as its parts.
    """
    return {part for value in values for part in (value, *value.split(","))} - {""}
