"""Lets scikit-learn judge random probabilities of clicks, for ``tests/unit/test_metrics.py``: an outside referee.

scikit-learn is no dependency of ours, so this runs in an environment of its own::

    python -m venv /tmp/referee && /tmp/referee/bin/pip install scikit-learn
    /tmp/referee/bin/python benchmarks/referee_clicks.py > tests/golden/sklearn.json

Clicks are rare in some cases and frequent in others; probabilities have few distinct values, so that there are ties.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from typing import Any

import numpy as np
from sklearn.metrics import log_loss, roc_auc_score

SHOWN, RATES = 200, (0.05, 0.3, 0.9)


def case(seed: int, rate: float) -> dict[str, Any]:
    draw = np.random.default_rng(seed)
    probability = draw.integers(1, 20, SHOWN) / 20
    clicked = draw.random(SHOWN) < rate
    return {
        "probability": probability.tolist(),
        "clicked": clicked.tolist(),
        "auc": roc_auc_score(clicked, probability),
        "log_loss": log_loss(clicked, probability),
    }


if __name__ == "__main__":
    cases = [case(seed, rate) for seed, rate in enumerate(RATES)]
    json.dump({"scikit-learn": version("scikit-learn"), "cases": cases}, sys.stdout, separators=(",", ":"))
