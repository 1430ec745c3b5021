"""``python -m infra.probe [URL …]``: whether the worker or the HTTP service of this container does its work.

The exit status is 0 when one of the addresses answers; of a worker it must also say that it is up.
"""

from __future__ import annotations

import sys
from urllib.request import urlopen

URLS = ("http://127.0.0.1:9464/metrics", "http://127.0.0.1:8000/health")
_UP = b"headrace_ready 1.0"
_TIMEOUT_S = 3.0


def is_well(url: str) -> bool:
    """Return whether an address says that all is well."""
    try:
        with urlopen(url, timeout=_TIMEOUT_S) as answer:
            body: bytes = answer.read()
    except OSError:
        return False
    return _UP in body or not url.endswith("/metrics")


if __name__ == "__main__":
    sys.exit(0 if any(is_well(url) for url in sys.argv[1:] or URLS) else 1)
