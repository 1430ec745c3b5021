"""How the service reads users' stored states: it may not know the models, so their form is handed to it."""

from __future__ import annotations

import math

from contracts.events import TYPES
from serving.reading.live import Remembered


def history_of(state: bytes) -> list[Remembered]:
    """Return the events that a user's state remembers, oldest first.

    Raises
    ------
    CorruptState
        When the bytes are damaged; a ValueError.
    """
    from models.user_state import decode_state

    known = decode_state(state)
    columns = (known.keys.tolist(), known.times.tolist(), known.kinds.tolist(), known.values.tolist())
    return [
        Remembered(key, time, TYPES[kind], None if math.isnan(value) else value)
        for key, time, kind, value in zip(*columns, strict=True)
    ]
