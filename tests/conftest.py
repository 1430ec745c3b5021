"""A real broker and a real store, started once for all tests of a process; each test has its own names on them.

The whole suite, or a folder of it, is shared out among processes (pytest-xdist), each with its own broker and store:
much of a test is waiting. Tests that are named by their file run in one process, which begins sooner.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from infra.kafka import LocalKafka
from infra.kernels import compile_kernels
from infra.redis import LocalRedis
from infra.settings import Settings
from models.kernel import COMPILED
from models.warmup import warm_up
from tests.own import own_settings, unused_name

UNIT = Path(__file__).parent / "unit"
PROCESSES = 4
"""At most: each takes half a gigabyte."""


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Say how many processes share the tests; ``-n`` on the command line decides otherwise."""
    if not all(Path(name).is_dir() for name in config.args) or config.option.capture == "no":
        return 0
    return min(len(os.sched_getaffinity(0)) + 1, PROCESSES)  # one more than cores: while one waits


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Deal out the files of tests that wait for services; tests of one part follow, and even out the end."""
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    waiting: dict[Path, list[pytest.Item]] = {}
    quick = []
    for item in items:
        if UNIT in item.path.parents:
            quick.append(item)
        else:
            waiting.setdefault(item.path, []).append(item)
    dealt: list[pytest.Item] = []
    for process in range(processes):
        share = list(chain.from_iterable(list(waiting.values())[process::processes]))
        size = (len(items) - len(dealt)) // (processes - process)  # as pytest-xdist cuts the list
        dealt += [*share, *quick[: max(0, size - len(share))]]
        del quick[: max(0, size - len(share))]
    items[:] = dealt + quick


@pytest.fixture(scope="session", autouse=True)
def kernels() -> None:
    """Compile all kernels first: a minute on a new machine, which no test that waits for a worker should pay for."""
    compile_kernels(COMPILED)
    warm_up()


@pytest.fixture(scope="session")
def docker() -> bool:
    """Whether a container engine answers; without one the embedded services are used."""
    try:
        return subprocess.run(["docker", "info"], capture_output=True, timeout=5).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


@pytest.fixture(scope="session")
def kafka(docker: bool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``host:port`` of a real broker."""
    if docker:
        from testcontainers.community.kafka import KafkaContainer  # noqa: PLC0415 (needless without an engine)

        quiet = {"KAFKA_AUTO_CREATE_TOPICS_ENABLE": "false"}
        with KafkaContainer().with_kraft().with_envs(**quiet) as container:
            yield container.get_bootstrap_server()
    else:
        with LocalKafka(tmp_path_factory.mktemp("kafka")) as broker:
            yield broker.bootstrap
            broker.kill()  # to close the topics of all tests in order would take it a quarter of a minute


@pytest.fixture(scope="session")
def redis_url(docker: bool, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a real store."""
    if docker:
        from testcontainers.community.redis import RedisContainer  # noqa: PLC0415 (needless without an engine)

        with RedisContainer("redis:7-alpine") as container:
            yield f"redis://{container.get_container_host_ip()}:{container.get_exposed_port(container.port)}/0"
    else:
        with LocalRedis(tmp_path_factory.mktemp("redis")) as store:
            yield store.url


@pytest.fixture
def namespace() -> str:
    """A name that no other test uses: its topics' prefix, its keys' prefix and its namespace."""
    return unused_name()


@pytest.fixture
def settings(kafka: str, redis_url: str, namespace: str, tmp_path: Path) -> Settings:
    """Settings of one test: its own topics, keys and data directory on the shared broker and store."""
    return own_settings(kafka, redis_url, namespace, tmp_path)
