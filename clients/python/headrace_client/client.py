"""The client, as plain calls: it sends what :mod:`headrace_client.reading` and :mod:`headrace_client.writing` make."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import httpx

from headrace_client import reading, writing
from headrace_client.answers import parse
from headrace_client.attempts import Attempts, Patience
from headrace_client.call import Call
from headrace_client.following import Following
from headrace_client.sending import TIMEOUT_S, described, options, outgoing, streaming

P = ParamSpec("P")
A = TypeVar("A")


def _method(call: Callable[P, Call[A]]) -> Callable[Concatenate[Headrace, P], A]:
    def method(self: Headrace, /, *args: P.args, **kwargs: P.kwargs) -> A:
        return self.perform(call(*args, **kwargs))

    return described(method, call)


def _stream(call: Callable[P, Call[A]]) -> Callable[Concatenate[Headrace, P], Iterator[A]]:
    def method(self: Headrace, /, *args: P.args, **kwargs: P.kwargs) -> Iterator[A]:
        return self.follow(call(*args, **kwargs))

    return described(method, call, "Iterator[{}]")


class Headrace:
    """Headrace over HTTP; one for a whole program, whose threads may share it.

    Parameters
    ----------
    base_url : str
        Of ``headrace serve``.
    api_key : str, optional
        Goes into the header ``Authorization``.
    timeout : float
        Seconds that an answer may take.
    patience : Patience
        How often a lost connection, a 429 or a 503 is tried again.
    **more
        Further arguments of :class:`httpx.Client`, e.g. ``verify`` or ``transport``.
    """

    def __init__(
        self,
        base_url: str = "http://127.0.0.1:8000",
        api_key: str | None = None,
        *,
        timeout: float = TIMEOUT_S,
        patience: Patience = Patience(),  # noqa: B008 (it never changes)
        **more: Any,
    ) -> None:
        self._timeout, self._patience = timeout, patience
        self._http = httpx.Client(**options(base_url, api_key, timeout), **more)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def perform(self, call: Call[A]) -> A:
        """Send a request, as often as it may be and takes.

        Raises
        ------
        HeadraceError
        """
        attempts = Attempts(self._patience, call.repeatable)
        sent = outgoing(call, self._timeout)
        while True:
            try:
                response = self._http.request(**sent)
            except httpx.TransportError as error:
                pause = attempts.lost(error)
            else:
                if response.is_success:
                    return parse(call.answer, response.content, response.headers)
                pause = attempts.refused(response.status_code, response.content, response.headers)
            time.sleep(pause)

    def follow(self, call: Call[A]) -> Iterator[A]:
        """Yield what a stream tells, over as many connections as it takes.

        Raises
        ------
        HeadraceError
        """
        following = Following(call.answer, Attempts(self._patience))
        while True:
            try:
                with self._http.stream(**streaming(call, self._timeout)) as response:
                    if response.is_success:
                        following.connected()
                        for line in response.iter_lines():
                            told = following.line(line)
                            if told is not None:
                                yield told
                        pause = following.ended()
                    else:
                        response.read()
                        pause = following.attempts.refused(response.status_code, response.content, response.headers)
            except httpx.TransportError as error:
                pause = following.attempts.lost(error)
            time.sleep(pause)

    recommend = _method(reading.recommend)
    recommend_for = _method(reading.recommend_for)
    similar = _method(reading.similar)
    popular = _method(reading.popular)
    trending = _method(reading.trending)
    latest = _method(reading.latest)
    explain = _method(reading.explain)
    item = _method(reading.item)
    export_user = _method(reading.export_user)
    health = _method(reading.health)
    ready = _method(reading.ready)
    send = _method(writing.send)
    send_many = _method(writing.send_many)
    put_item = _method(writing.put_item)
    patch_item = _method(writing.patch_item)
    delete_item = _method(writing.delete_item)
    put_items = _method(writing.put_items)
    put_user = _method(writing.put_user)
    patch_user = _method(writing.patch_user)
    forget_user = _method(writing.forget_user)
    undo = _method(writing.undo)
    stream = _stream(reading.stream)
