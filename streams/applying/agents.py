"""The Faust agents: one short function per topic, each handing its batches to the one place that applies them."""

from __future__ import annotations

from typing import Any

import faust
from mode import CrashingSupervisor

from streams.applying.applier import Applier
from streams.applying.attempts import Attempts
from streams.consuming.records import Records


def declare(app: faust.App, channels: dict[str, Any], applier: Applier, attempts: Attempts) -> None:
    """Declare the agents.

    An exception in an agent ends the process (``CrashingSupervisor``): applying again in memory would count twice, and
    a restart goes on from what is durable, and finds the event that raises, see :mod:`streams.applying.attempts`.

    Parameters
    ----------
    app : faust.App
    channels : dict of str to faust.Channel
        ``clicks``, ``ratings`` and ``users``.
    applier : Applier
        Where events go.
    attempts : Attempts
        Through which they go there.
    """

    @app.agent(channels["clicks"], name="clicks", supervisor_strategy=CrashingSupervisor)
    async def clicks(stream: faust.StreamT[Records]) -> None:
        async for records in stream:
            await attempts.through(records, applier.apply)

    @app.agent(channels["ratings"], name="ratings", supervisor_strategy=CrashingSupervisor)
    async def ratings(stream: faust.StreamT[Records]) -> None:
        async for records in stream:
            await attempts.through(records, applier.apply)

    @app.agent(channels["users"], name="users", supervisor_strategy=CrashingSupervisor)
    async def users(stream: faust.StreamT[Records]) -> None:
        async for records in stream:
            await attempts.through(records, applier.describe)
