"""The OpenAPI document is true: nothing that it allows fails, and nothing is answered that it does not declare."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import hypothesis
import pytest
import schemathesis
import uvicorn

from serving.api import create_app
from serving.reader import Reader
from serving.server import config
from tests.service import deployed


@pytest.fixture(scope="module")
def address(redis_url: str) -> Iterator[str]:
    """A real server on a store that holds a little of everything."""
    prefix = "schema"
    with deployed(redis_url, prefix) as deployment:
        deployment.give("0", ["a", "b"])
        deployment.share(deployment.keys.similar("a"), ["b"])
        for name in ("popular", "trending", "latest"):
            deployment.share(deployment.keys.shared(name), ["a", "b"])
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(config(create_app(Reader(redis_url, prefix))))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def document(address: str) -> Any:
    return schemathesis.openapi.from_url(f"{address}/openapi.json")


api = schemathesis.pytest.from_fixture("document")


@api.parametrize()
@hypothesis.settings(
    max_examples=25, deadline=None, derandomize=True, suppress_health_check=list(hypothesis.HealthCheck)
)
def test_no_request_fails_or_is_answered_otherwise_than_declared(case: Any) -> None:
    case.call_and_validate()
