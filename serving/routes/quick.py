"""Answers the commonest request, a user's own list with nothing wished but its length, without FastAPI's machinery."""

from __future__ import annotations

import re
import time
from functools import lru_cache

from starlette.types import Receive, Scope, Send

from contracts.events import MAX_ID_BYTES
from serving.reading.cut import cut
from serving.reading.reader import Reader
from serving.routes.caching import names, tag_of
from serving.routes.parameters import DEFAULT_N, MAX_N
from serving.writing.people import Naming

_PLAIN = re.compile(rb"(?:n=([1-9][0-9]{0,3}))?")
_HEADERS = [(b"content-type", b"application/json"), (b"cache-control", b"private, no-cache")]


class Quick:
    """Answers what it can.

    Parameters
    ----------
    reader : Reader
    naming : Naming
        How users are called in the store.
    """

    def __init__(self, reader: Reader, naming: Naming) -> None:
        self._reader, self._naming = reader, naming

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Answer, or return that it must be done at length: what is sent is the same but for the writing of numbers."""
        n = _wanted(scope["query_string"])
        user = scope["path_params"]["user"]
        if n == 0 or not 0 < len(user) <= MAX_ID_BYTES:
            return False
        reader = self._reader
        keys = await reader.namespace()
        value = await reader.stored_list(self._naming(user), keys)
        found = cut(value, n, keys.namespace) if value is not None else None
        if found is None or await reader.withheld(found.items, keys):
            return False
        tag = tag_of(found.body, found.version)
        age = max(0, (time.time_ns() // 1_000_000 - found.time) // 1000)
        headers = [*_HEADERS, (b"etag", tag.encode()), (b"age", b"%d" % age)]
        wanted = next((value for name, value in scope["headers"] if name == b"if-none-match"), None)
        if wanted is not None and names(wanted.decode("latin-1"), tag):
            await send({"type": "http.response.start", "status": 304, "headers": headers[1:]})
            await send({"type": "http.response.body", "body": b""})
            return True
        headers.append((b"content-length", b"%d" % len(found.body)))
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": found.body})
        return True


@lru_cache(1024)
def _wanted(query: bytes) -> int:
    """Return how many items are wished, 0 where more is."""
    plain = _PLAIN.fullmatch(query)
    n = int(plain[1] or DEFAULT_N) if plain else 0
    return n if n <= MAX_N else 0
