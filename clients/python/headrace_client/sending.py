"""From a request to httpx, the same for both clients."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any, TypeVar

import httpx

from headrace_client.call import Call
from headrace_client.version import __version__

M = TypeVar("M", bound=Callable[..., Any])
TIMEOUT_S = 10.0
_SILENCE_S = 60.0  # of a stream, which says something every 15 seconds


def options(base_url: str, api_key: str | None, timeout: float) -> dict[str, Any]:
    """Return what a client of httpx is made with."""
    headers = {"User-Agent": f"headrace-client/{__version__}", "Accept": "application/json"}
    if api_key:
        headers["Authorization"] = f"Bearer {api_key}"
    return {"base_url": base_url.rstrip("/"), "headers": headers, "timeout": timeout}


def outgoing(call: Call[Any], timeout: float) -> dict[str, Any]:
    """Return a request as httpx sends it."""
    content = call.content()
    headers = dict(call.headers) | ({"Content-Type": "application/json"} if content is not None else {})
    return {
        "method": call.method, "url": call.path, "params": list(call.query), "content": content, "headers": headers,
        "timeout": httpx.Timeout(timeout, read=timeout + call.takes_s),
    }  # fmt: skip


def streaming(call: Call[Any], timeout: float) -> dict[str, Any]:
    """Return a request whose answer has no end."""
    headers = {"Accept": "text/event-stream"}
    return outgoing(call, timeout) | {"headers": headers, "timeout": httpx.Timeout(timeout, read=_SILENCE_S)}


def described(method: M, call: Callable[..., Call[Any]], answer: str = "{}") -> M:
    """Return a client's method with the name, the documentation and the parameters of what it sends."""
    signature = inspect.signature(call)
    itself = inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY)
    told = str(signature.return_annotation).removeprefix("Call[").removesuffix("]")
    method.__name__, method.__doc__ = call.__name__, call.__doc__
    shown = signature.replace(
        parameters=[itself, *signature.parameters.values()], return_annotation=answer.format(told)
    )
    method.__signature__ = shown  # type: ignore[attr-defined]
    return method
