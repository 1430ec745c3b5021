"""Everything that a worker imports, and its kernels: loaded once, before workers are forked from this process."""

from __future__ import annotations

import os
import threading


def load() -> None:
    """Load it all, as ``headrace worker --respawn`` does."""
    for library in ("OPENBLAS", "OMP", "MKL"):  # before NumPy is loaded, which asks for the number of threads
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    import commands.worker  # noqa: PLC0415, F401
    from streams.running import prepared  # noqa: PLC0415

    prepared.load()
    assert threading.active_count() == 1


load()
