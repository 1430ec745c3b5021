"""Everything that a worker imports, and its kernels: loaded once, before workers are forked from this process."""

from __future__ import annotations

import importlib
import inspect
import os
import threading

IMPORTED = (
    "commands.worker",
    "infra.failpoints",
    "infra.local",
    "streams.running.worker",
    # What Faust and fsspec import only when it is needed.
    "faust.app.router",
    "faust.assignor",
    "faust.fixups.django",
    "faust.tables.recovery",
    "faust.transport.drivers.aiokafka",
    "faust.worker",
    "fsspec.implementations.local",
)


def load() -> None:
    """Load it all. Nothing of it may start a thread, which a fork would leave behind."""
    for library in ("OPENBLAS", "OMP", "MKL"):  # as `headrace worker` has it
        os.environ.setdefault(f"{library}_NUM_THREADS", "1")
    for name in IMPORTED:
        importlib.import_module(name)
    inspect.getmodule(inspect.currentframe())  # as Faust asks for each agent: a walk through all modules
    from infra.kernels import compile_kernels  # noqa: PLC0415 (numpy asks for the number of threads when it is loaded)
    from models.kernel import COMPILED  # noqa: PLC0415
    from models.warmup import warm_up  # noqa: PLC0415

    compile_kernels(COMPILED)
    warm_up()
    assert threading.active_count() == 1


load()
