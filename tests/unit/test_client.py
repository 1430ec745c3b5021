"""The Python client by itself: what it asks, how it tries again, and what it makes of a stream."""

from __future__ import annotations

import asyncio
import inspect
import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, get_type_hints

import pytest

import headrace_client as client
from headrace_client import reading, writing
from headrace_client.answers import parse
from headrace_client.attempts import Attempts, Patience
from headrace_client.call import Call
from headrace_client.following import Following
from serving.api import create_app
from serving.reading.reader import Reader
from tests.both import Plain

PAGE = {"stage": "personal", "namespace": "main", "version": "1.1", "time": 5, "items": [{"item": "a", "score": 1.0}]}
QUICK = Patience(retries=3, longest_s=1.0, first_s=0.001)


def calls() -> dict[str, Callable[..., Call[Any]]]:
    modules = (reading, writing)
    return {
        name: made
        for module in modules
        for name, made in inspect.getmembers(module, inspect.isfunction)
        if made.__module__ == module.__name__ and not name.startswith("_")
    }


def asked(name: str, made: Callable[..., Call[Any]]) -> Call[Any]:
    given = {"attributes": {}, "change": {}, "events": [], "records": [], "event": {}}
    needed = [p for p in inspect.signature(made).parameters.values() if p.default is p.empty and p.kind <= 1]
    return made(*(given.get(each.name, "x") for each in needed))


def test_every_public_route_has_a_method_and_every_method_a_route() -> None:
    documented = create_app(Reader("redis://127.0.0.1:1")).openapi()["paths"]
    # What the live page reads is the page's own, and metrics are for Prometheus.
    paths = {path: own for path, own in documented.items() if not path.startswith("/live") and path != "/metrics"}
    routes = {(method.upper(), re.sub(r"\{.*?\}", "x", path)) for path, own in paths.items() for method in own}
    made = {name: asked(name, call) for name, call in calls().items()}
    assert {(call.method, call.path) for call in made.values()} == routes
    for kind in (client.Headrace, client.AsyncHeadrace):
        public = {name for name in vars(kind) if not name.startswith("_")}
        assert public - {"close", "perform", "follow"} == calls().keys()


@pytest.mark.parametrize("kind", [client.Headrace, client.AsyncHeadrace])
def test_methods_have_the_parameters_and_the_words_of_what_they_send(kind: type[Any]) -> None:
    for name, call in calls().items():
        method = getattr(kind, name)
        own = list(inspect.signature(method).parameters.values())
        assert own[0].name == "self"
        assert own[1:] == list(inspect.signature(call).parameters.values())
        assert method.__doc__ == call.__doc__
        assert "Call" not in str(inspect.signature(method).return_annotation)
        assert get_type_hints(call)["return"].__origin__ is Call


def test_ids_are_one_part_of_the_path_whatever_they_hold() -> None:
    assert reading.explain("a/b", "..").path == "/explain/a%2Fb/%2E%2E"
    assert reading.item("日本 {}?#%").path == "/items/%E6%97%A5%E6%9C%AC%20%7B%7D%3F%23%25"
    assert dict(reading.recommend(5, exclude=[1, "a,b"]).query) == {"n": "10", "exclude": "a,b"}


def test_events_keep_their_own_identity_and_others_get_one() -> None:
    alone = writing.send(client.Click("ann", "x"))
    assert alone.headers["Idempotency-Key"]
    assert alone.body == [{"user": "ann", "item": "x", "type": "click"}]
    # A key would make another event of the second, which the same user did at the same time.
    mixed = writing.send({"user": "ann", "item": "x"}, client.Rating("ann", "y", 4, time=5), {"user": "a", "id": "7"})
    assert mixed.headers == {}
    assert mixed.body[0].pop("id")
    assert mixed.body == [
        {"user": "ann", "item": "x"}, {"user": "ann", "item": "y", "rating": 4, "time": 5}, {"user": "a", "id": "7"},
    ]  # fmt: skip
    assert writing.send(client.Click("ann", "x", time=5), key="k").headers == {"Idempotency-Key": "k"}


def test_what_an_older_client_does_not_know_is_ignored_and_what_is_no_answer_is_said() -> None:
    body = json.dumps(PAGE | {"new": 1, "items": [{"item": "a", "score": 1, "new": {}}]}).encode()
    assert parse(client.Recommended, body, {}).items == (client.Shown("a", 1),)
    for wrong in (b"<html>", b"[]", b"{}", b'{"stage": 1}', b"\xff"):
        with pytest.raises(client.UnexpectedAnswer, match="at this address"):
            parse(client.Recommended, wrong, {})


def test_waits_are_bounded_grow_and_obey_the_service() -> None:
    attempts = Attempts(Patience(retries=3, longest_s=5, first_s=1), chance=lambda: 0.5)
    assert [attempts.lost(OSError()), attempts.lost(OSError()), attempts.refused(503, b"", {})] == [1, 2, 2.5]
    with pytest.raises(client.Unreachable, match="after 4 attempts"):
        attempts.lost(OSError("away"))
    attempts.reset()
    assert attempts.refused(429, b"", {"retry-after": "2"}) == 2.1
    with pytest.raises(client.TooMany) as error:
        attempts.refused(429, b"", {"retry-after": "6"})
    assert error.value.retry_after == 6
    for status in (400, 401, 404, 422, 500):
        with pytest.raises(client.Refusal):
            Attempts(Patience()).refused(status, b"from a proxy", {})
    with pytest.raises(client.Unavailable):
        Attempts(Patience(), repeatable=False).refused(503, b"", {})


def test_a_stream_is_cut_anywhere_and_nothing_is_told_twice() -> None:
    following = Following(client.Recommended, Attempts(Patience()))
    lines = ["event: list", "id: 1.1", f"data: {json.dumps(PAGE)}", ""]
    assert [each for each in map(following.line, lines) if each] == [parse(client.Recommended, _bytes(PAGE), {})]
    assert list(map(following.line, [*lines, ": still here", "", *lines[:3]])) == [None] * 9
    following.connected()  # what was cut off is no event
    assert list(map(following.line, ["", *lines])) == [None] * 5
    newer = PAGE | {"version": "1.2"}
    assert [following.line(line) for line in ("event:list", f"data:{json.dumps(newer)}", "")][2] is not None


def _bytes(page: dict[str, Any]) -> bytes:
    return json.dumps(page).encode()


class Flaky:
    """A real server that fails as it is told, one request after the other, and remembers what it was sent."""

    def __init__(self, *script: Any) -> None:
        self.script, self.seen = list(script), list[tuple[str, bytes, str]]()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                outer.seen.append((self.path, body, self.headers.get("Idempotency-Key", "")))
                step = outer.script.pop(0)
                if step == "drop":
                    return self.close_connection_at_once()
                status, answer, headers = step
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(answer)
                return None

            do_POST = do_GET

            def close_connection_at_once(self) -> None:
                self.close_connection = True

            def log_message(self, *_: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.01,))
        self.base = f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Flaky:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


@pytest.fixture(params=["plain", "asyncio"])
def connect(request: pytest.FixtureRequest) -> Iterator[Callable[[str], Plain]]:
    with asyncio.Runner() as runner:
        made: list[Any] = []

        def connected(base: str) -> Plain:
            kind: Any = client.Headrace if request.param == "plain" else client.AsyncHeadrace
            made.append(kind(base, patience=QUICK))
            return Plain(made[-1], None if request.param == "plain" else runner)

        yield connected
        for each in made:
            if isinstance(each, client.AsyncHeadrace):
                runner.run(each.close())
            else:
                each.close()


ACCEPTED = (202, b'{"token": "t", "accepted": 1, "refused": []}', {})
BUSY = (503, b'{"error": {"code": "unavailable", "message": "m", "request": "r"}}', {"Retry-After": "0"})


def test_events_are_sent_again_under_the_same_key_until_they_are_accepted(connect: Callable[[str], Plain]) -> None:
    with Flaky("drop", BUSY, (429, b"", {"Retry-After": "0"}), ACCEPTED) as server:
        assert connect(server.base).send(client.Click("ann", "x")).token == "t"
    assert len(server.seen) == 4
    assert len(set(server.seen)) == 1
    assert server.seen[0][1:] != (b"", "")


def test_it_is_tried_so_often_and_not_again(connect: Callable[[str], Plain]) -> None:
    with Flaky("drop", "drop", "drop", BUSY, "drop", "drop", "drop", "drop") as server:
        headrace = connect(server.base)
        with pytest.raises(client.Unavailable) as error:
            headrace.recommend("ann")
        assert (error.value.code, error.value.detail, error.value.request) == ("unavailable", "m", "r")
        with pytest.raises(client.Unreachable, match="after 4 attempts"):
            headrace.recommend("ann")
    assert server.script == []
    with pytest.raises(client.Unreachable):
        connect("http://127.0.0.1:1").popular()


def test_a_stream_connects_again_and_goes_on(connect: Callable[[str], Plain]) -> None:
    def event(version: str) -> bytes:
        return b"event: list\nid: 1\ndata: " + _bytes(PAGE | {"version": version}) + b"\n\n"

    whole, cut = (200, event("1.1") + event("1.2"), {}), (200, event("1.2") + event("1.3")[:40], {})
    with Flaky(whole, "drop", BUSY, cut, (200, event("1.4"), {}), (404, b"", {})) as server:
        told = connect(server.base).stream("ann")
        assert [next(told).version for _ in range(3)] == ["1.1", "1.2", "1.4"]
        with pytest.raises(client.NotFound):
            next(told)
