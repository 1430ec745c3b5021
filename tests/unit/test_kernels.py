"""The kernels are compiled before anything is learned, by a process that does nothing else."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from infra.kernels import compile_kernels
from models.kernel import COMPILED

ROOT = Path(__file__).parents[2]


def test_this_process_has_loaded_its_kernels() -> None:
    assert COMPILED.exists()  # by the fixture that all tests share


def test_what_is_compiled_is_not_again(tmp_path: Path) -> None:
    mark = tmp_path / "compiled"
    mark.touch()
    before = mark.stat().st_mtime_ns
    compile_kernels(mark)
    assert mark.stat().st_mtime_ns == before


def test_the_commands_find_the_kernels_that_the_package_keeps() -> None:
    say = "from models.kernel import COMPILED; print(COMPILED)"
    said = subprocess.run([sys.executable, "-c", say], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == str(COMPILED)
