"""Names and settings that no other test uses."""

from __future__ import annotations

import uuid
from pathlib import Path

from infra.settings import Kafka, Redis, Settings


def unused_name() -> str:
    return f"test-{uuid.uuid4().hex[:12]}"


def own_settings(kafka: str, redis_url: str, name: str, home: Path) -> Settings:
    """Return settings of which nobody else has topics, keys or directory."""
    return Settings(
        namespace=name,
        home=str(home / "data"),
        kafka=Kafka(bootstrap=kafka, prefix=name, partitions=4),
        redis=Redis(url=redis_url, prefix=name),
    )
