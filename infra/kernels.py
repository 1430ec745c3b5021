"""Compiles the kernels in a process of its own, so that every other one loads them.

A process that compiles a kernel may run other machine code than one that loads it from the cache: last digits differ.
Workers fold the same log to the same bytes only if all of them run the same code.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import xxhash

_COMPILE = "from models.warmup import warm_up; warm_up()"
_ROOT = Path(__file__).parents[1]


def compile_kernels(mark: Path) -> None:
    """See that all kernels are compiled: half a minute the first time on a machine, then nothing.

    Of several processes that come at the same time one has it done, and the others wait for it. Where nothing can be
    kept, as on a read-only disk, every process compiles for itself.

    Parameters
    ----------
    mark : Path
        Stands beside the compiled kernels once they are complete, see ``models.kernel.COMPILED``; each checkout of the
        sources has its own, since Numba keeps kernels by the path and the time of their sources.
    """
    if are_compiled(mark):
        return
    with _alone(mark.with_name("lock")):
        if are_compiled(mark):
            return
        done = subprocess.run([sys.executable, "-c", _COMPILE], cwd=_ROOT, stdin=subprocess.DEVNULL, check=False)
        if done.returncode == 0:
            with contextlib.suppress(OSError):
                mark.parent.mkdir(parents=True, exist_ok=True)
                _own(mark).touch()


def are_compiled(mark: Path) -> bool:
    """Return whether all kernels of this checkout are compiled."""
    return _own(mark).exists()


def _own(mark: Path) -> Path:
    digest = xxhash.xxh3_64(str(_ROOT))
    for source in sorted((_ROOT / "models").rglob("*.py")):
        digest.update(str(source.stat().st_mtime_ns))
    return mark.with_name(f"{mark.name}-{digest.hexdigest()}")


@contextlib.contextmanager
def _alone(path: Path) -> Iterator[None]:
    """Keep other processes out, where a file can be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
    except OSError:
        yield
        return
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        os.close(file)
