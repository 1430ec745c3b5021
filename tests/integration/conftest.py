"""A store of a test's own, for what it does to a store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from infra.redis import LocalRedis
from infra.settings import Settings


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LocalRedis]:
    """A Redis of the test's own."""
    with LocalRedis(tmp_path / "redis") as server:
        yield server


@pytest.fixture
def own(settings: Settings, server: LocalRedis) -> Settings:
    """The test's settings with its own Redis."""
    return msgspec.structs.replace(settings, redis=msgspec.structs.replace(settings.redis, url=server.url))
