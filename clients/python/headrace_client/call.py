"""A request to the service, before it is sent. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar
from urllib.parse import quote

A = TypeVar("A")
Id = str | int


@dataclass(frozen=True, slots=True)
class Call(Generic[A]):
    """A request, and what its answer is.

    Attributes
    ----------
    method, path : str
        The path is encoded.
    answer : type
    query : list of tuple
    body : object
        Sent as JSON; None = no body.
    headers : mapping
    repeatable : bool
        Whether the same request sent twice does no more than sent once.
    takes_s : float
        How much longer than others the answer may take.
    """

    method: str
    path: str
    answer: type[A]
    query: Sequence[tuple[str, str]] = ()
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    repeatable: bool = True
    takes_s: float = 0.0

    def content(self) -> bytes | None:
        """Return the body as it is sent."""
        return None if self.body is None else json.dumps(self.body, ensure_ascii=False, allow_nan=False).encode()


def quoted(value: Id) -> str:
    """Return an id as a part of a path."""
    # A dot too: clients resolve "." and ".." in paths.
    return quote(str(value), safe="").replace(".", "%2E")


def several(name: str, values: Iterable[Any]) -> list[Any]:
    """Return values that a caller gives as an iterable."""
    if isinstance(values, str):
        raise TypeError(f"{name} is the string {values!r}; give a list of them")  # it would mean each of its letters
    return list(values)


def said(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return what is not at its default."""
    return {name: value for name, value in fields.items() if value is not None and value is not False and value != []}


def query(wishes: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what is not at its default as parameters; what there is several of is repeated."""
    given = ((name, value if isinstance(value, list) else [value]) for name, value in said(wishes).items())
    return [(name, "true" if each is True else str(each)) for name, values in given for each in values]
