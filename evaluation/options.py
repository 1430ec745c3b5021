"""What an evaluation is asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from evaluation.contenders import MODELS, SHUFFLED, of_the_engine

COLD_ITEMS = "cold-items"
PROTOCOLS = ("prequential", "temporal", "second-event", "leave-one-out", COLD_ITEMS, "kfold", "clicks")
RATINGS = "ratings"
"""The model of predicted ratings: ranks nothing, so it has rows of its own."""


@dataclass(frozen=True)
class Options:
    """All that decides what comes out, beside the stream.

    Attributes
    ----------
    models : tuple of str
        Of :data:`evaluation.contenders.MODELS`, or ``"ratings"``; the others are compared with the first.
    protocol : str
        One of :data:`PROTOCOLS`.
    k : int
        Depth of the lists.
    every, warmup : int, float
        Prequential: rank every n-th event, after this share of all (so in ``second-event``).
    cut, live : tuple of float, bool
        Temporal: shares of events before the cuts; whether the same events are ranked by a model that goes on learning,
        beside the frozen one.
    folds : int
        Of the cross-validation of ratings.
    repeats : bool
        Rank items that the user has had before, and let them compete.
    newcomers : bool
        Rank users' first events, too, for which nothing is known of the user.
    least_rating : float or None
        Rank only events whose rating is at least that; all are learned.
    lag : int
        How many events learning is behind.
    replicas : int
        How many workers share the users: of every ``lag`` events, those of each are learned together.
    shuffle : bool
        Also rank by each scorer of the engine with the user's recent items in random order.
    content : bool
        Tell the engine what is written about the items, where the data says it. The protocol of cold items compares
        both.
    window : int or None
        Ranked events in a point of the sliding series.
    seeds : tuple of int
        One pass each; figures are means over all.
    weights : mapping of str to float
        Event type → how much it counts, where not the engine's own.
    rating_users : int
        Rows of the rating model.
    rating_slope : float
        How much more a rating one deviation above the mean teaches than one at the mean.
    """

    models: tuple[str, ...] = MODELS
    protocol: str = "prequential"
    k: int = 10
    every: int = 1
    warmup: float = 0.1
    cut: tuple[float, ...] = (0.9,)
    live: bool = False
    folds: int = 5
    repeats: bool = False
    newcomers: bool = False
    least_rating: float | None = None
    lag: int = 0
    replicas: int = 1
    shuffle: bool = False
    content: bool = True
    window: int | None = None
    seeds: tuple[int, ...] = (0,)
    weights: Mapping[Any, float] = field(default_factory=dict)
    rating_users: int = 200_000
    rating_slope: float = 0.25

    @property
    def ranked(self) -> tuple[str, ...]:
        """The models that rank, each with its shuffled twin behind it where that is asked for."""
        if self.protocol in ("kfold", "clicks"):
            return ()
        names = [name for name in dict.fromkeys(self.models) if name != RATINGS]
        if self.protocol == COLD_ITEMS:
            return tuple(name for name in names if of_the_engine(name))
        twins = {name: (name, name + SHUFFLED) if self.shuffle and of_the_engine(name) else (name,) for name in names}
        return tuple(twin for name in names for twin in twins[name])

    @property
    def rated(self) -> bool:
        """Whether ratings are predicted."""
        return RATINGS in self.models or self.protocol == "kfold"
