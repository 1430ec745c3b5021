"""Client of Headrace: publish events, read recommendations; :class:`Headrace` and :class:`AsyncHeadrace`."""

from headrace_client.aio import AsyncHeadrace
from headrace_client.answers import (
    Accepted,
    Explained,
    Exported,
    Listed,
    Near,
    Recommended,
    Record,
    Refused,
    Shown,
    State,
    Taste,
)
from headrace_client.attempts import Patience
from headrace_client.client import Headrace
from headrace_client.errors import (
    Forbidden,
    HeadraceError,
    InvalidRequest,
    NotFound,
    Refusal,
    TooMany,
    Unauthorized,
    Unavailable,
    UnexpectedAnswer,
    Unreachable,
)
from headrace_client.events import Click, Event, Impression, Rating
from headrace_client.version import __version__

__all__ = [
    "Accepted",
    "AsyncHeadrace",
    "Click",
    "Event",
    "Explained",
    "Exported",
    "Forbidden",
    "Headrace",
    "HeadraceError",
    "Impression",
    "InvalidRequest",
    "Listed",
    "Near",
    "NotFound",
    "Patience",
    "Rating",
    "Recommended",
    "Record",
    "Refusal",
    "Refused",
    "Shown",
    "State",
    "Taste",
    "TooMany",
    "Unauthorized",
    "Unavailable",
    "UnexpectedAnswer",
    "Unreachable",
    "__version__",
]
