"""Why there is no answer."""

from __future__ import annotations

import json
from collections.abc import Mapping


class HeadraceError(Exception):
    """Anything that this client raises."""


class Unreachable(HeadraceError):
    """The service could not be reached, or the connection was lost, again and again."""


class UnexpectedAnswer(HeadraceError):
    """What answered is not the service that this client speaks with."""


class Refusal(HeadraceError):
    """The service said no.

    Attributes
    ----------
    status : int
        Of HTTP.
    code : str
        For programs; stays the same, e.g. ``invalid_request``.
    detail : str
        For people: the value and the remedy.
    request : str
        The request's id, under which the service's log says more.
    retry_after : float or None
        After how many seconds it may be tried again.
    """

    def __init__(self, status: int, code: str, detail: str, request: str, retry_after: float | None = None) -> None:
        super().__init__(f"{status} {code}: {detail}" + (f" (request {request})" if request else ""))
        self.status, self.code, self.detail, self.request = status, code, detail, request
        self.retry_after = retry_after


class InvalidRequest(Refusal):
    """What was asked or sent cannot be used (400, 413, 414, 415, 422)."""


class Unauthorized(Refusal):
    """No API key, or one that is not known (401)."""


class Forbidden(Refusal):
    """The key has not the role that this needs (403)."""


class NotFound(Refusal):
    """There is no such item, or no such namespace (404)."""


class TooMany(Refusal):
    """Too much at once: nothing of it was taken (429)."""


class Unavailable(Refusal):
    """The service cannot answer now: its store, its broker or its workers are away (503)."""


_KINDS: dict[int, type[Refusal]] = {
    400: InvalidRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    413: InvalidRequest,
    414: InvalidRequest,
    415: InvalidRequest,
    422: InvalidRequest,
    429: TooMany,
    503: Unavailable,
}


def refusal(status: int, body: bytes, headers: Mapping[str, str]) -> Refusal:
    """Return the error that an answer stands for; one from a proxy, in another shape, too."""
    try:
        error = json.loads(body)["error"]
        code, detail, request = str(error["code"]), str(error["message"]), str(error["request"])
    except (ValueError, TypeError, KeyError):
        code, request = "", headers.get("x-request-id", "")
        detail = body[:200].decode("utf-8", "replace")
    return _KINDS.get(status, Refusal)(status, code, detail, request, seconds(headers.get("retry-after")))


def seconds(value: str | None) -> float | None:
    """Return what ``Retry-After`` says in seconds; a date, which Headrace never sends, is not understood."""
    try:
        found = float(value) if value is not None else None
    except ValueError:
        return None
    return found if found is not None and 0 <= found < float("inf") else None
