"""After the warm-up nothing is left to compile: a worker's first events wait for nobody."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
# In a process of its own: what other tests have compiled would hide what the warm-up forgets.
PROGRAM = """
import importlib, pkgutil
import numba, numpy as np
import models
from models.warmup import warm_up

def forms():
    modules = [importlib.import_module(info.name) for info in pkgutil.walk_packages(models.__path__, "models.")]
    return {
        (kernel.py_func.__module__, kernel.py_func.__name__, str(form))
        for module in modules for kernel in vars(module).values()
        if isinstance(kernel, numba.core.dispatcher.Dispatcher) for form in kernel.signatures
    }

warm_up()
before = forms()
from contracts.events import Item
from contracts.learning import decode_lessons, encode_lessons, introduction
from models.content.terms import introduce
from models.engine import Engine
from models.listing import ListEncoder
from workload import START, events, observe

for repeats in (False, True):
    engine, stream = Engine(resident_users=100, allow_repeats=repeats), events(900)
    cuts = [0, 1, *range(50, len(stream) + 1, 50)]  # a new shop knows one item at its first click
    described = introduction([introduce(Item(event.item, "A title")) for event in stream])
    engine.learn(decode_lessons(encode_lessons(described)), 0)
    for position, (first, last) in enumerate(zip(cuts, cuts[1:]), 1):
        observation = observe(engine, stream[first:last], first)
        engine.rank(observation)
        engine.learn(decode_lessons(encode_lessons(observation.lessons)), position)
        slots = np.arange(len(engine.users), dtype=np.int32)
        present = np.full(len(slots), START, np.int64)
        ListEncoder(engine.items.catalogue).encode(engine.refresh(slots, 20, 5, present))
    engine.similar(0, 5)
    assert engine.items.content.ridge.learned
for form in sorted(forms() - before):
    print(*form[:2])
"""


def test_the_warm_up_leaves_nothing_to_compile() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=os.environ | {"PYTHONPATH": os.pathsep.join((str(ROOT), str(ROOT / "tests" / "unit")))},
        check=True,
    )
    assert done.stdout == ""
