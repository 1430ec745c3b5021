"""A worker of which any part has failed ends at once: what is left of it must not go on, nor wait."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_TIMEOUT_S = 30.0
_PROGRAM = """
import asyncio
import mode
from infra.settings import Settings
from streams.running import worker

class Part(mode.Service):
    @mode.Service.task
    async def _fail(self) -> None:
        await asyncio.sleep({after})
        raise ValueError("boom")

class Whole(mode.Service):
    async def on_start(self) -> None:
        await self.add_runtime_dependency(Part())
        await asyncio.sleep({start})

    async def on_stop(self) -> None:
        await asyncio.sleep(60)

app = worker.bare_app(Settings(home={home!r}))
app.service(Whole())
worker._Process(app, override_logging=False, redirect_stdouts=False, quiet=True).execute_from_commandline()
"""


@pytest.mark.parametrize(("after", "start"), [(0.0, 60.0), (0.3, 0.0)], ids=["as it starts", "while it runs"])
def test_a_part_that_fails_ends_the_worker(after: float, start: float, tmp_path: Path) -> None:
    program = _PROGRAM.format(after=after, start=start, home=str(tmp_path))
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, timeout=_TIMEOUT_S, check=False
    )
    assert done.returncode == 1
    assert "headrace worker: boom" in done.stderr
    assert "in _fail" in done.stderr
