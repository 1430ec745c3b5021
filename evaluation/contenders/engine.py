"""The engine's blend and each of its scorers alone, also with users' histories shuffled."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from evaluation.contenders.moment import OF_THE_ENGINE, Moment, Scores, Stateless
from models.selection import NONE


class OfTheEngine(Stateless):
    """The blend, or one of its scorers alone."""

    def __init__(self, name: str) -> None:
        self._index = OF_THE_ENGINE.index(name)

    def score(self, moment: Moment) -> Scores:
        """Return what the engine says."""
        own: Scores = moment.apart[self._index]
        return own


class Shuffled(Stateless):
    """A scorer of the engine that sees the user's recent items in random order: what is lost is what order is worth.

    References
    ----------
    Klenitskiy, Volodkevich, Pembek, Vasilev: Does It Look Sequential? RecSys 2024.
    """

    def __init__(self, name: str, seed: int) -> None:
        self._scorer, self._seed = OfTheEngine(name), seed

    def score(self, moment: Moment) -> Scores:
        """Return what the engine says of the shuffled history."""
        profile = moment.profile
        length = int((profile.recent != NONE).sum())
        order = np.arange(profile.recent.shape[1])
        np.random.default_rng((self._seed, moment.position)).shuffle(order[:length])
        columns = {name: getattr(profile, name)[:, order] for name in ("recent", "judged", "opinion")}
        return self._scorer.score(replace(moment, profile=replace(profile, **columns)))
