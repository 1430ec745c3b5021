"""Whether a namespace may be given to readers: whole, served by workers, and less than a second behind."""

from __future__ import annotations

import time
from typing import Any

from infra.settings import Settings
from serving.store.namespaces import Namespaces
from streams.publishing.goal import Goal
from streams.replaying.deployment import SILENCE_MS
from streams.replaying.durable import unfinished

LAG_S = 1.0
"""So far behind the events published may workers be, at most."""
_SAID_S = 0.6  # a worker speaks twice a second
_POLL_S = 0.05


def missing(settings: Settings, namespaces: Namespaces) -> list[str]:
    """Return in words what keeps the namespace of the settings from being given to readers; empty when nothing does.

    Raises
    ------
    BrokerError
        When the broker does not answer.
    """
    name = settings.namespace
    replay = unfinished(namespaces, name)
    if replay:
        return [replay]
    lacks = [] if namespaces.has_lists(name) else ["it has no list of popular items yet"]
    speaking = _speaking(namespaces, name)
    if not speaking:
        return [*lacks, f"none of its workers runs: start one with `headrace worker --namespace {name}`"]
    if not any(said["ready"] for said in speaking):
        return [*lacks, "its workers are still starting"]
    behind = _behind(Goal(settings), namespaces, name)
    if behind:
        lacks.append(f"its workers are more than {LAG_S:.0f} s behind: {behind:,} messages published by now wait")
    return lacks


def _behind(goal: Goal, namespaces: Namespaces, name: str) -> int:
    """Return how much of what had been published at the goal's moment was not applied a second later."""
    deadline = time.monotonic() + LAG_S + _SAID_S
    while True:
        applied: dict[str, int] = {}
        for said in _speaking(namespaces, name):
            for place, offset in said["applied"].items():
                applied[place] = max(offset, applied.get(place, 0))
        behind = goal.remaining(applied)
        if not behind or time.monotonic() > deadline:
            return behind
        time.sleep(_POLL_S)


def _speaking(namespaces: Namespaces, name: str) -> list[dict[str, Any]]:
    now = time.time_ns() // 1_000_000
    return [said for said in namespaces.workers(name).values() if now - said["time"] <= SILENCE_MS]
