"""The kernels are compiled before anything is learned, by a process that does nothing else."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra import kernels
from infra.kernels import are_compiled, compile_kernels
from models.kernel import COMPILED

ROOT = Path(__file__).parents[2]


def test_this_process_has_loaded_its_kernels() -> None:
    assert are_compiled(COMPILED)  # by the fixture that all tests share


def test_whoever_comes_meanwhile_or_later_waits_and_compiles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs = tmp_path / "runs"
    compiler = f"import time; open({str(runs)!r}, 'a').write('run\\n'); time.sleep(0.2)"
    monkeypatch.setattr(kernels, "_COMPILE", compiler)
    mark = tmp_path / "kernels" / "compiled"
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(compile_kernels, mark) for _ in range(4)]:
            done.result()
    compile_kernels(mark)
    assert are_compiled(mark)
    assert runs.read_text() == "run\n"


def test_what_could_not_be_compiled_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kernels, "_COMPILE", "raise SystemExit(1)")
    compile_kernels(tmp_path / "compiled")
    assert not are_compiled(tmp_path / "compiled")


def test_the_commands_find_the_kernels_that_the_package_keeps() -> None:
    say = "from models.kernel import COMPILED; print(COMPILED)"
    said = subprocess.run([sys.executable, "-c", say], cwd=ROOT, capture_output=True, text=True, check=True)
    assert said.stdout.strip() == str(COMPILED)
