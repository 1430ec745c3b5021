"""A worker that is started again whenever it ends, as a supervisor would."""

from __future__ import annotations

import sys

from benchmarks.parts.worker import Worker


class SupervisedWorker(Worker):
    """A worker that goes on when it dies while it is waited for."""

    def has_ended(self, before: str) -> None:
        """Start it again."""
        print(f"{self.namespace}: ended before it has {before}: {self.last_words()}", file=sys.stderr)
        self.start()

    def stop(self) -> None:
        """Let the process end in order, once it is ready."""
        self.wait_until(lambda status: bool(status.get("ready")), "become ready")
        super().stop()
