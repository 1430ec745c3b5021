"""Predicted ratings: River's biased matrix factorisation, learning from every rating, with a bounded number of users.

It runs beside the ranking, not in it: it says what rating a user would give to the items that he is shown.

River is imported with the first rating: it brings SciPy's special functions along, a quarter of a second that the start
of a worker without ratings need not take.
"""

from __future__ import annotations

import math
import pickle
from collections import OrderedDict
from typing import Any

import numpy as np
import xxhash
from numpy.typing import NDArray

from models.kernel import grown

FACTORS = 10
_RATE = 0.035
_L2 = 0.01
# A rating further off than so many deviations teaches no more than one that far off.
_REACH = 4.0
_SETTLED = 30  # ratings, until the scale is known well enough to say what is far off


class RatingModel:
    """An online rating model over hashes of users and rows of items.

    Ratings are learned in units of their own running deviation around their running mean, so any scale will do.

    Parameters
    ----------
    max_users : int
        Beyond it the least recently rating user loses his row, and starts anew when he returns.
    seed : int
        For the start of new rows.
    """

    def __init__(self, max_users: int, seed: int) -> None:
        self._max_users, self._seed = max_users, seed
        self._begun = False  # whether there was a rating; before, the next two are missing
        self._model: Any
        self._scale: Any
        self._raters: OrderedDict[int, None] = OrderedDict()
        # River's rows of items, copied after each step: predicting for a list is one small product then.
        self._biases = np.zeros(0, np.float64)
        self._latents = np.zeros((0, FACTORS), np.float64)

    def __len__(self) -> int:
        """Return the number of users with a row."""
        return len(self._raters)

    def learn(self, rater: int, row: int, rating: float) -> None:
        """Learn one rating."""
        if not self._begun:
            self._begin()
        self._raters[rater] = None
        self._raters.move_to_end(rater)
        self._model.learn_one(user=rater, item=row, y=self._standard(rating))
        self._copy(row)
        if len(self._raters) > self._max_users:
            gone, _ = self._raters.popitem(last=False)
            self._model.u_biases.pop(gone, None)
            self._model.u_latents.pop(gone, None)

    def forget(self, rater: int) -> None:
        """Forget a user; he starts anew when he returns."""
        if rater in self._raters:
            del self._raters[rater]
            self._model.u_biases.pop(rater, None)
            self._model.u_latents.pop(rater, None)

    def release(self, rows: NDArray[np.int32]) -> None:
        """Forget these items."""
        if not self._begun:
            return
        for row in rows.tolist():
            self._model.i_biases.pop(row, None)
            self._model.i_latents.pop(row, None)
            if row < len(self._biases):
                self._biases[row], self._latents[row] = 0.0, 0.0

    def predict(self, rater: int, rows: NDArray[np.int32]) -> NDArray[np.float64] | None:
        """Return the ratings that a user would give to items, or None when he has not rated.

        An item that nobody has rated gets the mean and the user's own bias. Nothing is created by asking.
        """
        if rater not in self._raters:
            return None
        known = np.minimum(rows, len(self._biases) - 1)
        terms = self._biases[known] + self._latents[known] @ self._model.u_latents[rater]
        terms[rows >= len(self._biases)] = 0.0
        standard = self._model.global_mean.get() + self._model.u_biases[rater] + terms
        return np.asarray(self._scale.mean.get() + self._deviation * standard)

    def _begin(self) -> None:
        from river import optim, reco, stats  # noqa: PLC0415 (see above)

        self._model = reco.BiasedMF(
            n_factors=FACTORS,
            bias_optimizer=optim.SGD(_RATE),
            latent_optimizer=optim.SGD(_RATE),
            l2_bias=_L2,
            l2_latent=_L2,
            latent_initializer=optim.initializers.Normal(mu=0.0, sigma=0.1, seed=self._seed),
            clip_gradient=2 * _REACH,
            seed=self._seed,
        )
        self._scale = stats.Var()
        self._begun = True

    def _standard(self, rating: float) -> float:
        mean, reach = self._scale.mean.get(), _REACH * self._deviation
        if self._scale.mean.n >= _SETTLED:
            # So that one rating far off does not stretch the scale for all others.
            rating = min(max(rating, mean - reach), mean + reach)
        self._scale.update(rating)
        standard = (rating - self._scale.mean.get()) / self._deviation
        return float(min(max(standard, -_REACH), _REACH))

    @property
    def _deviation(self) -> float:
        return math.sqrt(float(self._scale.get())) or 1.0

    def state(self) -> bytes:
        """Return what a checkpoint must hold: a pickle, bound to River's version; nothing before the first rating."""
        if not self._begun:
            return b""
        return pickle.dumps((self._model, self._scale, self._raters), protocol=5)

    def restore(self, state: bytes) -> None:
        """Take over :meth:`state`. The bytes come from our own checkpoints only."""
        self._begun = bool(state)
        if not state:
            return
        self._model, self._scale, self._raters = pickle.loads(state)
        self._biases, self._latents = np.zeros(0), np.zeros((0, FACTORS))
        for row in self._model.i_latents:
            self._copy(row)

    def rows(self) -> dict[str, Any]:
        """Return the learned rows, for comparing two models."""
        if not self._begun:
            return {"users": {}, "items": {}}
        return {
            "users": {user: (self._model.u_biases[user], self._model.u_latents[user]) for user in self._raters},
            "items": {row: (self._model.i_biases[row], value) for row, value in self._model.i_latents.items()},
        }

    def _copy(self, row: int) -> None:
        if row >= len(self._biases):
            self._biases = grown(self._biases, max(1024, 2 * row))
            self._latents = grown(self._latents, max(1024, 2 * row))
        self._biases[row] = self._model.i_biases[row]
        self._latents[row] = self._model.i_latents[row]


def rater(user: str) -> int:
    """Return the hash under which the rating model knows a user."""
    return xxhash.xxh3_64_intdigest(f"rater {user}")
