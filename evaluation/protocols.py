"""Protocols: in which order the events of a stream come, which of them are ranked, and how far the engine learns.

All of them rank an event's item among all items seen until then (those that the engine has learned from) except the
user's own, ties at their mean rank. Not ranked are a user's first event, an item's first event, an item that the user
has had before (unless repeats are allowed), and events that are no wish for their item; they are counted apart.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.events import TYPES
from evaluation.stream import Stream
from models.observing import WEIGHTS


@dataclass(frozen=True)
class Plan:
    """What a protocol makes of a stream.

    Attributes
    ----------
    protocol : str
        Its name.
    settings : dict
        What it was asked for.
    stream : Stream
        The events in the order in which they are observed.
    chosen : ndarray of int64, shape (m,)
        Ascending positions of the events that are to be ranked.
    learned : int
        Events from this position on are not learned, and those chosen behind it are ranked with what was known there.
    """

    protocol: str
    settings: dict[str, Any]
    stream: Stream
    chosen: NDArray[np.int64]
    learned: int


def prequential(stream: Stream, every: int = 1, warmup: float = 0.1) -> Plan:
    """Rank, then learn: event t is ranked when everything before it, and nothing else, was learned.

    Parameters
    ----------
    stream : Stream
    every : int
        Rank each event whose position is a multiple of it …
    warmup : float
        … and is at least this share of all events.
    """
    first = math.ceil(warmup * len(stream))
    chosen = np.arange(-(-first // every) * every, len(stream), every)
    return Plan("prequential", {"every": every, "warmup": warmup}, stream, chosen, len(stream))


def temporal(stream: Stream, cut: float = 0.9, live: bool = False) -> Plan:
    """Learn up to a cut; then rank the first event of each user who still comes, and learn nothing any more.

    Parameters
    ----------
    stream : Stream
    cut : float
        Share of the events before the cut.
    live : bool
        Go on learning after the cut, beside the frozen model: the same events are ranked.

    Notes
    -----
    Between the cut and a user's first event after it he did nothing, so all that is missing is what others did.
    """
    first = math.ceil(cut * len(stream))
    chosen = first + np.sort(np.unique(stream.user[first:], return_index=True)[1])
    return Plan("temporal", {"cut": cut, "live": live}, stream, chosen, len(stream) if live else first)


def second_event(stream: Stream, warmup: float = 0.1) -> Plan:
    """Rank each user's second event, after a share of all events: how soon a newcomer is known.

    Parameters
    ----------
    stream : Stream
    warmup : float
        Share of all events before the first that is ranked.
    """
    order = np.argsort(stream.user, kind="stable")
    starts = np.flatnonzero(np.diff(stream.user[order], prepend=-1))
    # Of users with one event only, what stands next in the order is another user's.
    seconds = order[starts[:-1] + 1][np.diff(starts) > 1]
    if len(starts) and starts[-1] + 1 < len(order):
        seconds = np.append(seconds, order[starts[-1] + 1])
    chosen = np.sort(seconds[seconds >= math.ceil(warmup * len(stream))]).astype(np.int64)
    return Plan("second-event", {"warmup": warmup}, stream, chosen, len(stream))


def leave_one_out(stream: Stream) -> Plan:
    """Hold out each user's last event; learn all others in one pass, then rank those that were held out.

    What others did after a held-out event has been learned when it is ranked: figures are for comparison with papers
    that do the same, not for what a live system reaches.
    """
    last = len(stream) - 1 - np.unique(stream.user[::-1], return_index=True)[1]
    held = np.zeros(len(stream), np.bool_)
    held[last] = True
    order = np.concatenate([np.flatnonzero(~held), np.flatnonzero(held)])
    first = len(stream) - len(last)
    return Plan("leave-one-out", {}, stream.take(order), np.arange(first, len(stream)), first)


def wishes(stream: Stream, weights: Mapping[Any, float], least_rating: float | None = None) -> NDArray[np.bool_]:
    """Return which events are a wish for their item, shape (n,).

    Parameters
    ----------
    stream : Stream
    weights : mapping of str to float
        Event type → how much it counts, over the engine's own; 0 = not a wish.
    least_rating : float, optional
        Ratings below it are none either. Events without a rating are not below it.
    """
    weight_of = {**WEIGHTS, **weights}
    wish = np.array([weight_of[name] > 0 for name in TYPES])[stream.kind]
    return wish if least_rating is None else wish & ~(stream.rating < least_rating)
