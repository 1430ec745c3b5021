"""Lists out of a stream of server-sent events, over as many connections as it takes. Pure."""

from __future__ import annotations

from typing import Generic, TypeVar

from headrace_client.answers import parse
from headrace_client.attempts import Attempts

A = TypeVar("A")


class Following(Generic[A]):
    """Reads the lines of one connection after the other.

    Parameters
    ----------
    kind : type
        Of the lists.
    attempts : Attempts
        How often the connection may be lost without any event between.
    """

    def __init__(self, kind: type[A], attempts: Attempts) -> None:
        self.attempts = attempts
        self._type = kind
        self._event, self._data = "", list[str]()
        self._last: A | None = None

    def connected(self) -> None:
        """Begin with the lines of another connection: an event that was cut off is none."""
        self._event, self._data = "", []

    def ended(self) -> float:
        """Return how long to wait when the service has ended a connection, as it does when it stops."""
        return self.attempts.lost(ConnectionError("the service ended the stream"))

    def line(self, line: str) -> A | None:
        """Take a line without its end; return a list where one is complete and another than the last."""
        if line.startswith(":"):
            self.attempts.reset()
            return None
        if line:
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "event":
                self._event = value
            elif name == "data":
                self._data.append(value)
            return None
        kind, data = self._event, self._data
        self.connected()
        if kind != "list" or not data:
            return None
        self.attempts.reset()
        # At the beginning of a connection the service says the present list, which may have been heard already.
        found = parse(self._type, "\n".join(data).encode(), {})
        if found == self._last:
            return None
        self._last = found
        return found
