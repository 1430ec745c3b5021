"""Ports on this machine alone, which belong to a directory and stay the same from start to start."""

from __future__ import annotations

import contextlib
import json
import socket
from pathlib import Path

HOST = "127.0.0.1"


def remembered_ports(directory: Path, count: int) -> list[int]:
    """Return the ports that belong to a directory; new ones where a stranger has taken one of them."""
    record = directory / "ports.json"
    with contextlib.suppress(OSError, ValueError, TypeError):
        ports = [int(port) for port in json.loads(record.read_text("utf-8"))]
        if len(ports) == count and all(_is_free(port) for port in ports):
            return ports
    ports = _free_ports(count)
    record.write_text(json.dumps(ports), "utf-8")
    return ports


def answers(port: int) -> bool:
    """Whether something listens on a port."""
    with socket.socket() as probe:
        probe.settimeout(0.2)
        return probe.connect_ex((HOST, port)) == 0


def free_port(host: str, wanted: int) -> int:
    """Return a port of an address that nobody has: the wanted one if it is free, else any."""
    if wanted and _is_free(wanted, host):
        return wanted
    with socket.create_server((host, 0), family=_family(host)) as server:
        return int(server.getsockname()[1])


def _is_free(port: int, host: str = HOST) -> bool:
    try:
        socket.create_server((host, port), family=_family(host)).close()
    except (OSError, OverflowError):
        return False
    return True


def _family(host: str) -> socket.AddressFamily:
    return socket.getaddrinfo(host or None, 0, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)[0][0]


def _free_ports(count: int) -> list[int]:
    with contextlib.ExitStack() as held:  # all at once, so that they differ
        return [held.enter_context(socket.create_server((HOST, 0))).getsockname()[1] for _ in range(count)]
