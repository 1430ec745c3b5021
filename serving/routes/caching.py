"""Answers that a caller may keep: their tag, their age, and 304 while they are the same."""

from __future__ import annotations

import re
import time as clock
from typing import Any

import orjson
import xxhash
from fastapi import Response

_SANE = re.compile("[0-9A-Za-z.-]{1,64}")  # of what may stand in a header
NOT_MODIFIED: dict[int | str, dict[str, Any]] = {
    200: {
        "headers": {
            "ETag": {"description": "Of this answer, for `If-None-Match`.", "schema": {"type": "string"}},
            "Age": {"description": "Seconds since the list was made.", "schema": {"type": "integer"}},
        }
    },
    304: {"description": "The answer is the one that `If-None-Match` names."},
}


def cached(body: Any, version: str | None, time: int | None, tag: str | None, private: bool = False) -> Response:
    """Return an answer with its tag and its age, or 304 if the caller has it.

    Parameters
    ----------
    body : object
        Of the documented type, so it need not pass FastAPI's validation again.
    version : str or None
        Of the list.
    time : int or None
        When the list was made, ms since the epoch.
    tag : str or None
        The caller's ``If-None-Match``.
    private : bool
        Whether it is about one person, so that no shared cache may keep it.
    """
    payload = orjson.dumps(body)
    etag = tag_of(payload, version)
    headers = {"ETag": etag, "Cache-Control": "private, no-cache" if private else "no-cache"}
    if time is not None:
        headers["Age"] = str(age_of(time))
    if tag is not None and names(tag, etag):
        return Response(None, 304, headers)
    return Response(payload, 200, headers, "application/json")


def tag_of(payload: bytes, version: str | None) -> str:
    """Return an answer's tag.

    The version alone would not do: an item that is withheld leaves the answer and not the list.
    """
    digest = xxhash.xxh3_64_hexdigest(payload)
    return f'"{version}-{digest}"' if version is not None and _SANE.fullmatch(version) else f'"{digest}"'


def names(tags: str, etag: str) -> bool:
    """Return whether the value of ``If-None-Match`` names a tag; a weak one counts (RFC 9110, 13.1.2)."""
    return tags.strip() == "*" or any(tag.strip().removeprefix("W/") == etag for tag in tags.split(","))


def age_of(time: int) -> int:
    """Return how many seconds ago a time was, at least 0; ``time`` in ms since the epoch."""
    return max(0, (clock.time_ns() // 1_000_000 - time) // 1000)
