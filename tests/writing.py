"""The service with both its halves, over a real worker, as a test asks it."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Awaitable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import httpx
import uvicorn
from fastapi import FastAPI

from commands.people import PeopleOf
from contracts.redis import Keys
from infra.redis import connect
from infra.settings import Settings
from serving.api import create_app
from serving.reading.reader import Reader
from serving.server import config
from serving.writing.writing import Writing, topics
from streams.publishing.live import LivePublisher

T = TypeVar("T")


class Service:
    """The application, called in a loop of its own."""

    def __init__(self, settings: Settings, runner: asyncio.Runner) -> None:
        self.settings, self._runner = settings, runner
        self.store = connect(settings.redis.url)
        self.keys = Keys(settings.namespace, settings.redis.prefix)
        self.publisher = LivePublisher(settings)
        self._reader = Reader(settings.redis.url, settings.redis.prefix, settings.namespace, follow_s=0.5)
        serving = settings.serving
        writing = Writing(
            self.publisher,
            PeopleOf(settings),
            topics(settings.kafka.prefix),
            serving.events_at_once,
            serving.waiting,
            serving.streams,
        )
        self.app = create_app(self._reader, writing=writing)
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self.client = httpx.AsyncClient(transport=transport, base_url="http://service", timeout=60)

    def run(self, asked: Awaitable[T]) -> T:
        async def run() -> T:
            return await asked

        return self._runner.run(run())

    def ask(self, method: str, path: str, body: Any = None, **more: Any) -> httpx.Response:
        """Send a request; ``body`` as JSON, or as it is where it is bytes."""
        given = {} if body is None else {"content": body} if isinstance(body, bytes) else {"json": body}
        return self.run(self.client.request(method, path, **given, **more))

    def post(self, events: Any, **headers: str) -> dict[str, Any]:
        """Publish events that must be accepted."""
        response = self.ask("POST", "/events", events, headers={key.replace("_", "-"): v for key, v in headers.items()})
        assert response.status_code == 202, response.text
        return dict(response.json())

    def listed(self, user: str, token: str) -> list[str]:
        """A user's items, once they show what the token stands for."""
        return [each["item"] for each in self.fresh(user, token)["items"]]

    def fresh(self, user: str, token: str) -> dict[str, Any]:
        """The answer for a user, once it shows what the token stands for; a busy machine may take its time."""
        deadline = time.monotonic() + 60
        while True:
            response = self.ask("GET", f"/recommend/{user}", params={"after": token, "wait": 10_000, "n": 100})
            if response.headers["headrace-fresh"] == "true":
                return dict(response.json())
            assert time.monotonic() < deadline, response.text

    def close(self) -> None:
        self.run(self.client.aclose())
        self.run(self.publisher.close())
        self.run(self._reader.__aexit__(None, None, None))
        self.store.close()


@contextmanager
def serving(settings: Settings) -> Iterator[Service]:
    """Serve for the time of a block."""
    with asyncio.Runner() as runner:
        service = Service(settings, runner)
        try:
            yield service
        finally:
            service.close()


@contextmanager
def running(service: Service) -> Iterator[str]:
    """Run the application in a real server, for what the short way does not do: answers without an end."""
    settings = service.settings
    app = create_app(
        Reader(settings.redis.url, settings.redis.prefix, settings.namespace),
        writing=Writing(LivePublisher(settings), topics=topics(settings.kafka.prefix), streams=1),
    )
    with listening(app) as base:
        yield base


@contextmanager
def listening(app: FastAPI) -> Iterator[str]:
    """Run an application in a real server; yields its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    ready = threading.Event()

    class Server(uvicorn.Server):
        async def startup(self, sockets: list[socket.socket] | None = None) -> None:
            await super().startup(sockets)
            ready.set()

    server = Server(config(app))
    thread = threading.Thread(target=server.run, args=([listener],))
    thread.start()
    try:
        assert ready.wait(60)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
