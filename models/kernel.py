"""How the numeric kernels are compiled, and the random numbers they draw.

Draws are counter-based (SplitMix64): a number depends only on its seed and its index, never on what was drawn before,
so the same log gives the same bytes wherever its records are cut into batches.

References
----------
Steele, Lea, Flood: Fast Splittable Pseudorandom Number Generators. OOPSLA 2014.
"""

from __future__ import annotations

import importlib
import math
import os
import platform
import sys
from pathlib import Path
from types import ModuleType

import llvmlite.binding
import numba
import numpy as np
import scipy
import xxhash


def _cache_dir() -> str:
    """Return where compiled kernels are kept: a folder of their own for each place and state of this package's sources.

    Numba looks only at the file of a kernel itself, not at those of the kernels that it calls, so after a change it
    would go on with what it has compiled before. The place and the times of the files count because they do for Numba.
    """
    digest = xxhash.xxh3_64(str(Path(__file__).parent).encode())
    for source in sorted(Path(__file__).parent.rglob("*.py")):
        digest.update(str(source.stat().st_mtime_ns).encode())
        digest.update(source.read_bytes())
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return str(base / "headrace" / "kernels" / digest.hexdigest())


numba.config.CACHE_DIR = os.environ.get("NUMBA_CACHE_DIR") or _cache_dir()

COMPILED = (
    Path(numba.config.CACHE_DIR) / f"compiled-{numba.__version__}-{platform.python_version()}-"
    f"{llvmlite.binding.get_host_cpu_name()}"
)
"""A mark that stands beside the kernels once all of them are compiled, see ``infra.kernels``."""


def _load_blas() -> None:
    """Load SciPy's BLAS, which Numba calls for ``np.dot``, without the rest of ``scipy.linalg``.

    Numba would import all of it at the first kernel: a tenth of a second of each start, for nothing.
    """
    if "scipy.linalg" in sys.modules:
        return
    package = ModuleType("scipy.linalg")
    package.__path__ = [str(Path(folder) / "linalg") for folder in scipy.__path__]
    sys.modules["scipy.linalg"] = package
    try:
        importlib.import_module("scipy.linalg.cython_blas")
    finally:
        del sys.modules["scipy.linalg"]  # whoever imports it for its own sake gets all of it


_load_blas()

# nogil lets the threads that talk to Kafka and Redis run beside a kernel; the cache spares a restart the compiler.
kernel = numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy")
# Inlined by hand-off to LLVM into the kernels that call it.
inline = numba.njit(cache=True, nogil=True, fastmath=True, error_model="numpy", inline="never")

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_MIX1 = np.uint64(0xBF58476D1CE4E5B9)
_MIX2 = np.uint64(0x94D049BB133111EB)


@inline
def draw(seed: np.uint64, index: np.uint64) -> np.uint64:
    """Return the ``index``-th 64-bit random number of a seed."""
    z = seed + (index + np.uint64(1)) * _GAMMA
    z = (z ^ (z >> np.uint64(30))) * _MIX1
    z = (z ^ (z >> np.uint64(27))) * _MIX2
    return z ^ (z >> np.uint64(31))


@inline
def draw_below(seed: np.uint64, index: np.uint64, bound: int) -> np.int64:
    """Return a uniform integer in ``[0, bound)``, bound < 2^32."""
    return np.int64(((draw(seed, index) >> np.uint64(32)) * np.uint64(bound)) >> np.uint64(32))


@inline
def draw_normals(seed: np.uint64, scale: float, out: np.ndarray) -> None:
    """Fill a flat float32 array of even length with normal numbers of standard deviation ``scale`` (Box-Muller)."""
    for pair in range(out.size // 2):
        bits = draw(seed, np.uint64(pair))
        u = (np.float64(bits >> np.uint64(32)) + 1.0) / 4294967297.0
        angle = 2.0 * math.pi * np.float64(bits & np.uint64(0xFFFFFFFF)) / 4294967296.0
        radius = scale * math.sqrt(-2.0 * math.log(u))
        out[2 * pair] = radius * math.cos(angle)
        out[2 * pair + 1] = radius * math.sin(angle)


def grown(array: np.ndarray, rows: int) -> np.ndarray:
    """Return the array with room for ``rows`` along its first axis, new rows zero."""
    larger = np.zeros((rows, *array.shape[1:]), array.dtype)
    larger[: len(array)] = array
    return larger
