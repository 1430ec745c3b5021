"""River's own recommenders as rankers: what River gives without Headrace.

They learn every event as it comes, ``y`` = its rating, or 1 where there is none, and rank by the predicted ``y``, with
the settings of River's own tutorial. Their rows are copied into tables after each step, so that all items are scored
in one product: ``rank()`` asks item by item. An item or user without a row counts as one whose row is zero.

References
----------
https://riverml.xyz/latest/examples/matrix-factorization-for-recommender-systems/part-1/
"""

from __future__ import annotations

from typing import Any

import numpy as np
from river import optim, reco

from evaluation.contenders.moment import Learned, Moment, Scores, room

RECOMMENDERS = ("Baseline", "BiasedMF", "FunkMF")
_FACTORS = 10


class River:
    """One of :data:`RECOMMENDERS`."""

    def __init__(self, name: str, seed: int) -> None:
        self._model = _made(name, seed)
        self._biased, self._factors = name != "FunkMF", name != "Baseline"
        self._biases = np.zeros(1024)
        self._latents = np.zeros((1024, _FACTORS))

    def learn(self, events: Learned) -> None:
        """Let River learn, and copy the rows of the items."""
        last = int(events.rows.max()) + 1
        self._biases, self._latents = room(self._biases, last), room(self._latents, last)
        columns = (events.rows.tolist(), events.users.tolist(), np.nan_to_num(events.ratings, nan=1.0).tolist())
        for row, user, rating in zip(*columns, strict=True):
            self._model.learn_one(user=user, item=row, y=rating)
            if self._biased:
                self._biases[row] = self._model.i_biases[row]
            if self._factors:
                self._latents[row] = self._model.i_latents[row]

    def score(self, moment: Moment) -> Scores:
        """Return the predicted ``y`` up to what is the same for all of a user's items."""
        rows = len(moment.candidate)
        self._biases, self._latents = room(self._biases, rows), room(self._latents, rows)
        if not (self._factors and moment.user in self._model.u_latents):
            return self._biases[:rows]
        scores: Scores = self._biases[:rows] + self._latents[:rows] @ self._model.u_latents[moment.user]
        return scores


def _made(name: str, seed: int) -> Any:
    start = optim.initializers.Normal(mu=0.0, sigma=0.1, seed=seed)
    match name:
        case "Baseline":
            return reco.Baseline(optimizer=optim.SGD(0.025))
        case "BiasedMF":
            return reco.BiasedMF(
                n_factors=_FACTORS,
                bias_optimizer=optim.SGD(0.025),
                latent_optimizer=optim.SGD(0.05),
                latent_initializer=start,
            )
        case _:
            return reco.FunkMF(n_factors=_FACTORS, optimizer=optim.SGD(0.05), l2=0.1, initializer=start)
