"""Click models: how well the probability of a click on what is shown is predicted, each before its outcome is learned.

Measured are the area under the ROC curve (does what is clicked come first?) and log loss (are the probabilities
right?).
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

import numpy as np

from evaluation import intervals, metrics
from evaluation.shown import Showing, clicked

_START = 0.01  # rate of clicks before anything was shown


class ClickModel(Protocol):
    """Predicts clicks, learning from each showing."""

    def predict(self, showing: Showing) -> float:
        """Return the probability of a click; what ``showing`` says of the outcome is not to be looked at."""

    def learn(self, showing: Showing) -> None:
        """Learn whether it was clicked."""


class Rate:
    """Share of what was shown that was clicked, whatever it was: what any model must beat."""

    def __init__(self) -> None:
        self.clicks, self.shown = 1.0, 1.0 / _START

    def predict(self, showing: Showing) -> float:
        """Return the share so far."""
        return self.clicks / self.shown

    def learn(self, showing: Showing) -> None:
        """Count."""
        self.clicks, self.shown = self.clicks + showing.clicked, self.shown + 1.0


class ItemPlaceRate:
    """Rate of the item times rate of the place over the rate of all; both begin at that, as if for one click.

    ``rate(x) = (clicks(x) + 1) / (shown(x) + 1 / rate)``.
    """

    def __init__(self) -> None:
        self._all = Rate()
        self._of_item: defaultdict[str, list[float]] = defaultdict(lambda: [0.0, 0.0])
        self._of_place: defaultdict[int, list[float]] = defaultdict(lambda: [0.0, 0.0])

    def predict(self, showing: Showing) -> float:
        """Return the product."""
        rate = self._all.predict(showing)
        item, place = self._of_item[showing.item], self._of_place[showing.place]
        lifts = [(clicks + 1.0) / (shown * rate + 1.0) for clicks, shown in (item, place)]
        return min(rate * lifts[0] * lifts[1], 1.0)

    def learn(self, showing: Showing) -> None:
        """Count."""
        self._all.learn(showing)
        for counts in (self._of_item[showing.item], self._of_place[showing.place]):
            counts[0] += showing.clicked
            counts[1] += 1.0


CLICK_MODELS: Mapping[str, Callable[[], ClickModel]] = {"rate": Rate, "item-place-rate": ItemPlaceRate}
"""Name → what makes it."""


def rows(showings: Sequence[Showing], on_progress: Callable[[int], None] = lambda events: None) -> list[dict[str, Any]]:
    """Return a row of figures for each of :data:`CLICK_MODELS`, all on the same showings in their order."""
    outcome = clicked(showings)
    users = np.unique([showing.user for showing in showings], return_inverse=True)[1]
    found = []
    for index, (name, make) in enumerate(CLICK_MODELS.items()):
        model = make()
        predicted = np.zeros(len(showings))
        began = time.perf_counter()
        for position, showing in enumerate(showings):
            predicted[position] = model.predict(showing)
            model.learn(showing)
        seconds = time.perf_counter() - began
        on_progress((index + 1) * len(showings) // len(CLICK_MODELS))
        losses = metrics.log_losses(predicted, outcome)
        found.append(
            {
                "model": name,
                "auc": metrics.auc(predicted, outcome),
                "log_loss": float(losses.mean()),
                "log_loss_interval": intervals.interval(intervals.resampled(users, losses[:, None])[:, 0]),
                "predicted_rate": float(predicted.mean()),
                "rate": float(outcome.mean()),
                "clicks": int(outcome.sum()),
                "scored": len(showings),
                "events": len(showings),
                "us_per_event": 1e6 * seconds / max(len(showings), 1),
            }
        )
    return found
