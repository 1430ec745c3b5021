"""The guide: every command and snippet of its pages, run as they stand, one after the other, in an empty directory."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "docs" / "guide").glob("*.md"))
_BLOCK = re.compile(r"^```(\w+)\n(.*?)^```", re.M | re.S)
_TIMEOUT_S = 170
# What the page has started ends with it: the services that others need last.
_AROUND = """\
set -euo pipefail
finish() {
  set +eu
  jobs=($(jobs -p))
  for job in "${jobs[@]:1}" ${jobs[0]-}; do kill -TERM $job && wait $job; done
}
trap finish EXIT
trap 'exit 1' TERM
"""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_of_the_guide_can_be_typed_from_top_to_bottom(page: Path, tmp_path: Path) -> None:
    script = tmp_path / "page.sh"
    script.write_text(_script(page.read_text("utf-8"), [_free_port(), _free_port()]))
    programs = tmp_path / "bin"
    programs.mkdir()
    for name, arguments in (("headrace", "-m commands"), ("python3", ""), ("python", "")):
        (programs / name).write_text(f'#!/bin/sh\nexec {sys.executable} {arguments} "$@"\n')
        (programs / name).chmod(0o755)
    directory = tmp_path / "empty"
    directory.mkdir()
    env = {name: value for name, value in os.environ.items() if name != "HEADRACE_CONFIG"}
    env |= {"PATH": f"{programs}:{env['PATH']}", "PYTHONPATH": str(ROOT)}
    said = tmp_path / "said.txt"
    with said.open("wb") as out:
        process = subprocess.Popen(
            ["bash", str(script)], cwd=directory, env=env, stdout=out, stderr=out, start_new_session=True
        )
    try:
        status = process.wait(_TIMEOUT_S)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            process.wait(30)
    assert status == 0, said.read_text("utf-8", "replace")[-4000:]


def _script(text: str, ports: list[int]) -> str:
    """Return a page as one script, with ports that are free here; what it has started ends with it."""
    blocks = []
    for language, body in _BLOCK.findall(text):
        assert language in ("sh", "python"), f"the guide holds {language}, which this test does not run"
        blocks.append(body if language == "sh" else f"python3 - <<'PYTHON'\n{body}PYTHON\n")
    script = "\n".join(blocks).replace("headrace serve", f"headrace serve --port {ports[0]}")
    script = script.replace("127.0.0.1:8000", f"127.0.0.1:{ports[0]}").replace("9464", str(ports[1]))
    return f"{_AROUND}\n{script}"


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])
