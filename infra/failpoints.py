"""Failures on demand, so that tests can cause what a crash causes only by chance.

The environment variable ``HEADRACE_FAIL`` names one failure of a worker process:

- ``after:states`` or ``before:states:3``: the process dies, without a word to anybody, the first or the third time it
  comes to that side of the step (:data:`STEPS`);
- ``hang:lists``: the thread that comes to the step stays there for ever;
- ``poison:ITEM``: applying an event of the item raises, as an event would that finds a mistake in the model;
- ``deadly:ITEM``: applying an event of the item ends the process, as a crash in native code would;
- ``unlearnable:ITEM``: folding a learning record that concerns the item raises, once it was folded.

When the variable is not set, passing a step costs one comparison.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from typing import Any, Final

from infra.errors import SettingsError

VARIABLE: Final = "HEADRACE_FAIL"
EXIT_STATUS: Final = 70
"""Of a process that died at a failpoint."""

STEPS: Final = {
    "restore": "the item model is restored from its checkpoint",
    "epoch": "the epochs of assigned partitions are raised",
    "fold": "a record of the learning log is folded into the item model",
    "observe": "a batch is applied to the user states in memory",
    "lists": "the lists of a batch and its watermark are written to Redis",
    "append": "its learning record is handed to the producer",
    "flush": "barrier: Kafka acknowledges learning records and dead letters",
    "states": "barrier: changed user states go to Redis",
    "applied": "barrier: the offsets that they contain go to Redis",
    "commit": "barrier: the same offsets are committed to Kafka",
    "items": "item records' pages go to Redis and their introductions are acknowledged",
    "part": "a checkpoint is written under a name that nobody reads",
    "checkpoint": "it gets its name",
    "prune": "checkpoints that are no longer needed are removed",
}
"""Every step of the event path, of the barrier and of a checkpoint, in words."""

_AT_STEPS = ("before", "after", "hang")
_BY_ITEM = ("poison", "deadly", "unlearnable")


class Poison(Exception):
    """What an event or a record raises that ``HEADRACE_FAIL`` names."""


@dataclass
class _Failure:
    kind: str
    subject: str
    passes: int = 1
    lock: threading.Lock = field(default_factory=threading.Lock)

    def reached(self) -> bool:
        with self.lock:
            self.passes -= 1
            return self.passes == 0


_failure: _Failure | None = None


def arm(text: str | None) -> None:
    """Have this process fail as ``HEADRACE_FAIL`` says; None or empty = not at all.

    Raises
    ------
    SettingsError
        When there is no such failure.
    """
    global _failure  # of the process, as its environment is
    _failure = _parse(text) if text else None
    if _failure is not None:
        print(f"headrace worker: {VARIABLE}={text}: this process will fail on purpose", file=sys.stderr, flush=True)


def before(step: str) -> None:
    """Say that a step begins."""
    if _failure is not None:
        _pass("before", step)
        _pass("hang", step)


def after(step: str) -> None:
    """Say that a step is done."""
    if _failure is not None:
        _pass("after", step)


def taste(events: Iterable[Any]) -> None:
    """Raise :class:`Poison` when one of these events, clicks or ratings, is to raise."""
    if _failure is None or _failure.kind not in ("poison", "deadly"):
        return
    if any(event.item == _failure.subject for event in events):
        if _failure.kind == "deadly":
            os._exit(EXIT_STATUS)
        raise Poison(f"an event of item {_failure.subject!r} raises, as {VARIABLE} says")


def study(items: Collection[str]) -> None:
    """Raise :class:`Poison` when a learning record that concerns one of these items is to raise."""
    if _failure is not None and _failure.kind == "unlearnable" and _failure.subject in items:
        raise Poison(f"a record of item {_failure.subject!r} raises, as {VARIABLE} says")


def names() -> list[str]:
    """Return every point at which a process can be made to die, as ``HEADRACE_FAIL`` takes it."""
    return [f"{side}:{step}" for step in STEPS for side in ("before", "after")]


def _pass(kind: str, step: str) -> None:
    failure = _failure
    if failure is None or failure.kind != kind or failure.subject != step or not failure.reached():
        return
    while kind == "hang":
        time.sleep(3600)
    # No handler, no flush, no goodbye to Kafka's group: as if the power had failed.
    os._exit(EXIT_STATUS)


def _parse(text: str) -> _Failure:
    kind, _, subject = text.partition(":")
    if kind in _BY_ITEM and subject:
        return _Failure(kind, subject)
    step, _, passes = subject.partition(":")
    if kind not in _AT_STEPS or step not in STEPS or not (passes or "1").isdecimal() or passes == "0":
        raise SettingsError(
            f"{VARIABLE}={text!r} is no failure: before:STEP, after:STEP or hang:STEP, with :N for the "
            f"N-th pass, or poison:ITEM, deadly:ITEM or unlearnable:ITEM; steps are {', '.join(STEPS)}"
        )
    return _Failure(kind, step, int(passes or "1"))
