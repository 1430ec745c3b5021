"""Everything that a worker loads before it asks anybody anything: its imports and its kernels."""

from __future__ import annotations

import gc
import importlib
import inspect
from functools import cache

from infra.kernels import compile_kernels
from models.kernel import COMPILED
from models.warmup import warm_up

_IMPORTED = (
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


@cache
def load_kernels() -> None:
    """Load the kernels, compiled before where they are not; once in a process and those that are forked from it."""
    compile_kernels(COMPILED)
    warm_up()
    gc.freeze()  # modules and kernels stay: no collection need look through them, which would take a tenth of a second
    gc.enable()  # off since the command began


def load() -> None:
    """Load it all, for workers that are forked from here. Nothing of it starts a thread, which a fork leaves behind."""
    for name in _IMPORTED:
        importlib.import_module(name)
    inspect.getmodule(inspect.currentframe())  # as Faust asks for each agent: a walk through all modules
    load_kernels()
