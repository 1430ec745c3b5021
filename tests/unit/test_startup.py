"""A start's parts add up to the age of the process, and what happens again later does not count."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

from streams.watching.startup import StartUp

ROOT = Path(__file__).parents[2]


def test_the_parts_add_up_to_the_time_since_the_process_began() -> None:
    program = (
        "import time; time.sleep(0.3); from streams.watching.startup import StartUp\n"
        "start = StartUp(); start.done('imports'); start.done('rest'); print(sum(start.ms.values()))"
    )
    began = time.monotonic()
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT, check=True).stdout
    assert 300 <= int(said) <= (time.monotonic() - began) * 1000 + 20  # the system counts in hundredths of a second


def test_only_the_first_time_counts() -> None:
    start = StartUp()
    start.done("join")
    before = dict(start.ms)
    time.sleep(0.01)
    start.done("join")
    assert start.ms == before
    assert start.cpu_ms.keys() == start.ms.keys()
