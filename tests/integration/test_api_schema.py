"""The OpenAPI document is true: nothing that it allows fails, and nothing is answered that it does not declare."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress

import hypothesis
import orjson
import pytest
import schemathesis
import uvicorn
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from infra.settings import Kafka, Settings
from serving.api import create_app
from serving.reading.reader import Reader
from serving.server import config
from serving.writing.writing import Writing, topics
from streams.kafka.admin import ensure_topics
from streams.publishing.live import LivePublisher
from tests.service import deployed

# Not among them: that whatever fits the schema is accepted; some rules, as "a user or recent items", are beyond it.
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
NO_HTTP = b"Invalid HTTP request received."
"""The server's parser refuses control characters in headers and 64 kB of path before there is a request."""
EXAMPLES = 20
"""Of each operation, valid ones and others."""


@pytest.fixture(scope="module")
def address(redis_url: str, kafka: str) -> Iterator[str]:
    """A real server on a store that holds a little of everything; streams, which never end, are refused."""
    prefix = "schema"
    settings = Settings(kafka=Kafka(bootstrap=kafka, prefix=prefix, partitions=1))
    ensure_topics(settings)
    writing = Writing(LivePublisher(settings), topics=topics(prefix), streams=0)
    with deployed(redis_url, prefix) as deployment:
        deployment.give("0", ["a", "b"])
        deployment.share(deployment.keys.similar("a"), ["b"])
        for name in ("popular", "trending", "latest"):
            deployment.share(deployment.keys.shared(name), ["a", "b"])
        # Of each item record that is published: a worker has applied it.
        deployment.store.set(deployment.keys.partitions, 1)
        deployment.store.hset(deployment.keys.applied(0), f"{prefix}.items", 2**50)
        now = time.time_ns() // 1_000_000 + 3_600_000  # it has not fallen silent when it is asked for
        deployment.store.hset(
            deployment.keys.workers, "w:1", orjson.dumps({"worker": "w:1", "time": now, "ready": True})
        )
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(config(create_app(Reader(redis_url, prefix), writing=writing)))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        while not server.started:
            time.sleep(0.01)
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_no_request_fails_or_is_answered_otherwise_than_declared(address: str, mode: GenerationMode) -> None:
    document = schemathesis.openapi.from_url(f"{address}/openapi.json")
    for found in document.get_all_operations():
        operation = found.ok()

        @hypothesis.settings(
            max_examples=EXAMPLES,
            deadline=None,
            derandomize=True,
            database=None,
            phases=[hypothesis.Phase.generate],
            suppress_health_check=list(hypothesis.HealthCheck),
        )
        @hypothesis.given(operation.as_strategy(generation_mode=mode))
        def answered_as_declared(case: schemathesis.Case) -> None:
            response = case.call()
            if response.content != NO_HTTP:
                # Nobody here can say what is kept of a person: that is answered as declared.
                unanswered = response.status_code == 503 and b"was started without" in response.content
                case.validate_response(response, checks=CHECKS[1:] if unanswered else CHECKS)

        # What takes nothing cannot be asked wrongly.
        with suppress(hypothesis.errors.Unsatisfiable):
            answered_as_declared()
