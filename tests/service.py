"""The HTTP service in this process, on a real store that holds what workers would have written."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote_from_bytes, unquote

import httpx
import orjson
import redis

from contracts.redis import Keys, encode_list
from serving.api import create_app
from serving.reading.reader import Reader


class Deployment:
    """A service and the store that it reads."""

    def __init__(self, url: str, prefix: str, runner: asyncio.Runner, follow_s: float, **given: Any) -> None:
        self.store = redis.Redis.from_url(url)
        self.keys = Keys("main", prefix)
        self._runner = runner
        self._reader = Reader(url, prefix, follow_s=follow_s)
        self._app = create_app(self._reader, **given)
        transport = httpx.ASGITransport(self._app)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://service")

    def get(self, path: str, **parameters: Any) -> httpx.Response:
        return self.ask("GET", path, params=parameters or None)

    def post(self, path: str, body: Any) -> httpx.Response:
        return self.ask("POST", path, json=body)

    def ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        return self._runner.run(self._client.request(method, path, **given))

    def get_all(self, paths: Sequence[str]) -> list[httpx.Response]:
        """Ask all at the same time."""

        async def run() -> list[httpx.Response]:
            return await asyncio.gather(*map(self._client.get, paths))

        return self._runner.run(run())

    def get_raw(self, targets: Sequence[str]) -> list[tuple[int, bytes]]:
        """Ask all at the same time as the server hands them on, without a client; return statuses and bodies."""

        async def ask(target: str) -> tuple[int, bytes]:
            path, _, query = target.partition("?")
            scope = {
                "type": "http",
                "http_version": "1.1",
                "method": "GET",
                "scheme": "http",
                "path": unquote(path),
                "raw_path": path.encode(),
                "query_string": query.encode(),
                "root_path": "",
                "headers": [(b"host", b"service")],
                "client": ("127.0.0.1", 1),
                "server": ("127.0.0.1", 80),
            }
            sent: list[Any] = []

            async def receive() -> Any:
                return {"type": "http.request", "body": b"", "more_body": False}

            async def send(message: Any) -> None:
                sent.append(message)

            await self._app(scope, receive, send)
            return sent[0]["status"], b"".join(message.get("body", b"") for message in sent[1:])

        async def run() -> list[tuple[int, bytes]]:
            return await asyncio.gather(*map(ask, targets))

        return self._runner.run(run())

    def give(self, user: str, items: Sequence[str], keys: Keys | None = None) -> None:
        value = encode_list("3.1", items, scores(items), [["together", "earlier"]], 1000, "77")
        self.store.set((keys or self.keys).top(user), value)

    def share(self, key: str, items: Sequence[str]) -> None:
        self.store.set(key, orjson.dumps({"items": items, "scores": scores(items), "time": 1000}))

    def close(self) -> None:
        self._runner.run(self._client.aclose())
        self._runner.run(self._reader.__aexit__(None, None, None))
        self.store.close()


def scores(items: Sequence[str]) -> list[float]:
    return [1 / (rank + 1) for rank in range(len(items))]


def shown(response: httpx.Response) -> list[str]:
    assert response.status_code == 200, response.text
    return [entry["item"] for entry in response.json()["items"]]


def refusal(response: httpx.Response) -> tuple[int, str]:
    """Return status and code of an error, which must have the one shape of errors."""
    body = response.json()
    assert body.keys() == {"error"}
    assert body["error"].keys() == {"code", "message", "request"}
    assert body["error"]["message"]
    assert body["error"]["request"] == response.headers["X-Request-Id"]
    return response.status_code, body["error"]["code"]


def encoded(identifier: str) -> str:
    return quote_from_bytes(identifier.encode(), safe=b"").replace(".", "%2E")


@contextmanager
def deployed(url: str, prefix: str, follow_s: float = 3600, **given: Any) -> Iterator[Deployment]:
    """Run a service; what is given goes to ``create_app``."""
    with asyncio.Runner() as runner:
        deployment = Deployment(url, prefix, runner, follow_s, **given)
        try:
            yield deployment
        finally:
            deployment.close()
