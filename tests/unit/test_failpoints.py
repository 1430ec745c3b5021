"""A failure is named exactly, or refused at start; without one nothing happens."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from contracts.events import Click
from infra import failpoints
from infra.errors import SettingsError

ROOT = Path(__file__).parents[2]


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    failpoints.arm(None)


def steps_of(failure: str, *calls: str) -> int:
    """Return the exit status of a process that arms a failure, then runs some lines."""
    script = f"from infra import failpoints\nfailpoints.arm({failure!r})\n" + "\n".join(calls)
    return subprocess.run([sys.executable, "-c", script], cwd=ROOT, timeout=60).returncode


@pytest.mark.parametrize(
    "failure",
    ["after:state", "after", "after:states:0", "after:states:x", "during:states", "poison:", "hang:", "states", ":"],
)
def test_what_is_no_failure_is_refused_with_those_that_are(failure: str) -> None:
    with pytest.raises(SettingsError, match="steps are restore"):
        failpoints.arm(failure)


def test_a_worker_does_not_start_with_a_failure_that_is_none(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "commands", "worker", "--home", str(tmp_path)]
    outcome = subprocess.run(
        command, cwd=ROOT, env=os.environ | {failpoints.VARIABLE: "after:stats"}, capture_output=True, timeout=120
    )
    assert outcome.returncode != 0
    assert b"after:stats" in outcome.stderr


def test_without_a_failure_every_step_is_passed() -> None:
    failpoints.arm("")
    for step in failpoints.STEPS:
        failpoints.before(step)
        failpoints.after(step)
    failpoints.taste([Click("u", "i")])
    failpoints.study(["i"])


def test_a_process_dies_at_the_side_of_the_step_and_the_pass_that_was_named() -> None:
    states = "failpoints.before('states'); failpoints.after('states')"
    assert steps_of("after:states", states) == failpoints.EXIT_STATUS
    assert steps_of("after:states:2", states) == 0
    assert steps_of("after:states:2", states, states) == failpoints.EXIT_STATUS
    assert steps_of("before:applied", states) == 0


def test_poison_raises_for_its_item_alone() -> None:
    failpoints.arm("poison:a:b")
    failpoints.taste([Click("u", "a")])
    failpoints.study(["a:b"])
    with pytest.raises(failpoints.Poison, match="a:b"):
        failpoints.taste([Click("u", "a"), Click("v", "a:b")])
