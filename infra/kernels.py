"""Compiles the kernels in a process of its own, so that every other one loads them.

A process that compiles a kernel may run other machine code than one that loads it from the cache: last digits differ.
Workers fold the same log to the same bytes only if all of them run the same code.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from pathlib import Path

_COMPILE = "from models.warmup import warm_up; warm_up()"
_ROOT = Path(__file__).parents[1]


def compile_kernels(mark: Path) -> None:
    """See that all kernels are compiled: half a minute the first time on a machine, then nothing.

    Where nothing can be kept, as on a read-only disk, every process compiles for itself.

    Parameters
    ----------
    mark : Path
        Stands beside the compiled kernels once they are complete, see ``models.kernel.COMPILED``.
    """
    if mark.exists():
        return
    done = subprocess.run([sys.executable, "-c", _COMPILE], cwd=_ROOT, stdin=subprocess.DEVNULL, check=False)
    if done.returncode == 0:
        with contextlib.suppress(OSError):
            mark.parent.mkdir(parents=True, exist_ok=True)
            temporary = mark.with_name(f"{mark.name}.{os.getpid()}")
            temporary.touch()
            temporary.replace(mark)
