"""What is compared: the engine's blend, each of its scorers alone, and what there is beside them.

A contender competes under its name; :func:`contender` makes it.
"""

from __future__ import annotations

from evaluation.contenders.cosine import ItemCosine
from evaluation.contenders.engine import OfTheEngine, Shuffled
from evaluation.contenders.moment import OF_THE_ENGINE, Contender, Learned, Moment
from evaluation.contenders.neighbours import SessionNeighbours
from evaluation.contenders.river import RECOMMENDERS, River
from evaluation.contenders.simple import Popular, PopularOfDays, Random, Recency, RepeatRecency
from evaluation.errors import EvaluationError
from models.scorers.popularity import POPULAR, TRENDING

__all__ = [
    "MODELS",
    "OF_THE_ENGINE",
    "OTHERS",
    "RIVER",
    "SHUFFLED",
    "Contender",
    "Learned",
    "Moment",
    "contender",
    "of_the_engine",
    "seeded",
]

MODELS = (*OF_THE_ENGINE, "popularity", "popularity-100", "popularity-7d", "recency", "random")
"""Names that compete unless others are asked for."""
RIVER = tuple(f"river:{name}" for name in RECOMMENDERS)
OTHERS = ("item-cosine", "session-knn", "repeat-recency", *RIVER)
"""Further names: slower, or for repeats only."""
SHUFFLED = ":shuffled"
"""Stands behind the name of a scorer of the engine that sees histories in random order."""


def contender(name: str, seed: int) -> Contender:
    """Return what competes under a name.

    Raises
    ------
    EvaluationError
        When there is no such name.
    """
    if name in OF_THE_ENGINE:
        return OfTheEngine(name)
    if of_the_engine(name):
        return Shuffled(name.removesuffix(SHUFFLED), seed)
    if name in RIVER:
        return River(name.removeprefix("river:"), seed)
    match name:
        case "popularity":
            return Popular(POPULAR)
        case "popularity-100":
            return Popular(TRENDING)
        case "popularity-7d":
            return PopularOfDays(7)
        case "recency":
            return Recency()
        case "item-cosine":
            return ItemCosine()
        case "session-knn":
            return SessionNeighbours()
        case "repeat-recency":
            return RepeatRecency()
        case "random":
            return Random(seed)
    raise EvaluationError(f"there is no model {name!r}; there are {', '.join((*MODELS, *OTHERS))}")


def of_the_engine(name: str) -> bool:
    """Return whether a name is the engine's blend or one of its scorers, shuffled or not."""
    return name.removesuffix(SHUFFLED) in OF_THE_ENGINE


def seeded(name: str) -> bool:
    """Return whether a model is ranked once for each seed; the others only in the first pass, with the first seed.

    River's are slow to learn, and only their start is drawn.
    """
    return of_the_engine(name) or name == "random"
