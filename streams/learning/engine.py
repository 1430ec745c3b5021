"""The engine as the settings say: the same for a worker and for a replay."""

from __future__ import annotations

import msgspec

from infra.settings import Settings
from models.combine import LONG_AWAY_S, RETURNS_AFTER_S
from models.due import Limits
from models.engine import Engine
from models.life import Life
from models.policy import Policy

# A second later, so that the whole seconds of a gap have passed the turn.
_TURNS_MS = (RETURNS_AFTER_S * 1000 + 1000, LONG_AWAY_S * 1000 + 1000)


def create_engine(settings: Settings) -> Engine:
    """Return an engine that knows nothing yet."""
    model = settings.model
    return Engine(
        model.seed, settings.worker.resident_users, model.rating_users, model.weights,
        Policy(**msgspec.structs.asdict(settings.policy)),
        allow_repeats=model.repeats, rating_slope=model.rating_slope,
        taught_per_hour=model.taught_per_hour, taught_per_item=model.taught_per_item,
        life=Life(**msgspec.structs.asdict(settings.catalogue)),
    )  # fmt: skip


def limits_of(settings: Settings) -> Limits:
    """Return for how long silent users' lists are kept fresh."""
    return Limits(_TURNS_MS, settings.worker.list_s * 1000)
