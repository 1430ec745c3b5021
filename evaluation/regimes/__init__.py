"""Simulated data sets of three kinds, on which a recommender must hold beside the real ones.

``simulated:dense``: people with stable tastes and long histories of ratings, as with films. ``simulated:sessions``:
short visits to a large shop, mostly of people never seen before. ``simulated:news``: articles that live for hours.
Sizes and seed stand behind a question mark, ``simulated:news?users=2000&events=50000&seed=1``.

The same name gives the same events. All numbers are ours; no regime is fitted to a data set.
"""

from __future__ import annotations

from evaluation.regimes.simulated import PREFIX, REGIMES, Simulated, open_simulated

__all__ = ["PREFIX", "REGIMES", "Simulated", "open_simulated"]
