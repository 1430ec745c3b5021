"""``python -m infra.probe [URL …]``: whether the worker or the HTTP service of this container does its work.

The exit status is 0 when all of the addresses answer; a worker must also say that it is up.
"""

from __future__ import annotations

import sys
from urllib.request import urlopen

URL = "http://127.0.0.1:9464/metrics"
_STARTING = b"headrace_ready 0.0"
_TIMEOUT_S = 3.0


def is_well(url: str) -> bool:
    """Return whether an address says that all is well."""
    try:
        with urlopen(url, timeout=_TIMEOUT_S) as answer:
            body: bytes = answer.read()
    except OSError:
        return False
    return bool(body) and _STARTING not in body


if __name__ == "__main__":
    sys.exit(0 if all(is_well(url) for url in sys.argv[1:] or (URL,)) else 1)
