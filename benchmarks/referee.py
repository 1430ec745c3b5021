"""Lets ranx judge random lists and writes what it says, for ``tests/unit/test_metrics.py``: an outside referee.

ranx is no dependency of ours, so this runs in an environment of its own::

    python -m venv /tmp/referee && /tmp/referee/bin/pip install ranx
    /tmp/referee/bin/python benchmarks/referee.py > tests/golden/ranx.json

Each case has lists with their scores, many of them equal; the order is that into which ranx sorts them, so that ties
are judged in the same order. Some lists are empty, some are shorter than the depth, some have nothing relevant.
"""

from __future__ import annotations

import json
import sys
from importlib.metadata import version
from typing import Any

import numpy as np
from numba.typed import List
from ranx import metrics
from ranx.utils import descending_sort

LISTS, ITEMS, LONGEST = 40, 60, 30
DEPTHS = (1, 3, 10, 50)  # the last is beyond every list
NAMES = ("hit_rate", "precision", "recall", "f1", "reciprocal_rank", "average_precision", "ndcg")


def case(seed: int, k: int) -> dict[str, Any]:
    """Return random lists, what is relevant for each, and ranx's figures for each."""
    draw = np.random.default_rng(seed)
    runs, truths = [], []
    for _ in range(LISTS):
        items = draw.permutation(ITEMS)[: draw.integers(0, LONGEST + 1)]
        scores = draw.integers(0, 6, len(items))  # few values: ties
        runs.append(descending_sort(np.column_stack([items, scores]).astype(np.float64)))
        relevant = draw.permutation(ITEMS)[: draw.integers(0, 12)]
        gains = draw.integers(1, 5, len(relevant))
        truths.append(descending_sort(np.column_stack([relevant, gains]).astype(np.float64)))
    judged = {name: getattr(metrics, name)(List(truths), List(runs), k).tolist() for name in NAMES}
    return {
        "k": k,
        "lists": [run[:, 0].astype(int).tolist() for run in runs],
        "scores": [run[:, 1].astype(int).tolist() for run in runs],
        "relevance": [[[int(item), int(gain)] for item, gain in truth] for truth in truths],
        "figures": judged,
    }


if __name__ == "__main__":
    cases = [case(seed, k) for seed, k in enumerate(DEPTHS)]
    json.dump({"ranx": version("ranx"), "cases": cases}, sys.stdout, separators=(",", ":"))
