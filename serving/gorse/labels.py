"""Labels, which in Gorse are any JSON, as the flat names that our records have, and back. Pure.

Each leaf becomes its path and its value: ``{"genre": ["crime"], "year": 1995}`` is ``genre[]=crime``, ``year=1995``.
The parts of a path are percent-encoded and joined by dots. A text stands as it is unless it would read as JSON; then it
is JSON, as all that is no text. So what went in comes out, but for nulls and empty lists and objects.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any
from urllib.parse import quote, unquote

import orjson

MAX_LEAVES = 256
Scalar = str | float | bool
_LIST = "[]"


class InvalidLabels(ValueError):
    """Labels that cannot be kept; the text says why."""


def to_tags(labels: Any) -> list[str]:
    """Return labels as the tags of an item; of a plain list of texts these are the texts.

    Raises
    ------
    InvalidLabels

    Examples
    --------
    >>> to_tags({"genre": ["crime", "drama"], "year": 1995})
    ['genre[]=crime', 'genre[]=drama', 'year=1995']
    >>> to_tags(["crime"])
    ['crime']
    """
    return [
        value if path == _LIST and isinstance(value, str) and "=" not in value else f"{path}={said}"
        for path, value, said in _said(labels)
    ]


def from_tags(tags: Iterable[str]) -> Any:
    """Return the labels that tags stand for; None where there are none."""
    return _grown((path, _read(said)) if equals else (_LIST, path) for path, equals, said in map(_parted, tags))


def to_attributes(labels: Any) -> dict[str, Scalar]:
    """Return labels as the attributes of a user.

    Raises
    ------
    InvalidLabels

    Examples
    --------
    >>> to_attributes({"age": 31, "likes": ["crime"]})
    {'age': 31, 'likes[]=crime': True}
    """
    return {
        **{f"{path}={said}": True for path, _, said in _said(labels) if path.endswith(_LIST)},
        **{path: value for path, value, _ in _said(labels) if not path.endswith(_LIST)},
    }


def from_attributes(attributes: Mapping[str, Scalar]) -> Any:
    """Return the labels that attributes stand for; None where there are none."""
    parts = ((name, *_parted(name), value) for name, value in attributes.items())
    return _grown((path, _read(said)) if equals else (name, value) for name, path, equals, said, value in parts)


def _said(labels: Any) -> list[tuple[str, Scalar, str]]:
    leaves = [(path, value, _written(value)) for path, value in _leaves("", labels)]
    if len(leaves) > MAX_LEAVES:
        raise InvalidLabels(f"{len(leaves)} values in Labels, at most {MAX_LEAVES} are kept; vectors go to PUT /items")
    return leaves


def _leaves(path: str, value: Any) -> Iterator[tuple[str, Scalar]]:
    if value is None:
        return
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _leaves(f"{path}.{_quoted(name)}" if path else _quoted(name), inner)
    elif isinstance(value, list):
        for each in value:
            if not isinstance(each, str | int | float):
                raise InvalidLabels(f"a list in Labels holds {str(each)[:80]}; only texts, numbers and truth are kept")
            yield f"{path}{_LIST}", each
    elif not path:
        raise InvalidLabels(f"Labels is {str(value)[:80]!r}; send an object or a list")
    else:
        yield path, value


def _quoted(name: str) -> str:
    return quote(name, safe=" ").replace(".", "%2E")


def _written(value: Scalar) -> str:
    said = orjson.dumps(value).decode()  # refuses what is no text in UTF-8
    return value if isinstance(value, str) and _read(value) == value else said


def _read(said: str) -> Scalar:
    try:
        value = orjson.loads(said)
    except ValueError:
        return said
    return value if isinstance(value, str | int | float) else said


def _parted(name: str) -> tuple[str, str, str]:
    return name.partition("=")


def _grown(leaves: Iterable[tuple[str, Scalar]]) -> Any:
    """Return what has these leaves; the plain list where all of them are of one."""
    root: dict[str, Any] = {}
    plain: list[Scalar] = []
    for path, value in leaves:
        if path == _LIST:
            plain.append(value)
            continue
        *above, last = path.removesuffix(_LIST).split(".")
        place = root
        for name in above:
            inner = place.setdefault(unquote(name), {})
            place = inner if isinstance(inner, dict) else {}
        if path.endswith(_LIST):
            several = place.setdefault(unquote(last), [])
            if isinstance(several, list):
                several.append(value)
        else:
            place[unquote(last)] = value
    if not root:
        return plain or None
    return {**root, "tags": plain} if plain else root
