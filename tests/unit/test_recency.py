"""The score falls with the logarithm of the events since an item was last used, drawn straight between powers."""

from __future__ import annotations

import numpy as np
import reference
from workload import START, events, introduce, learned

from contracts.events import Click
from models.engine import Engine
from models.scorers.recency import Recency, learn, score


def scores(recency: Recency, rows: int) -> np.ndarray:
    """Return the kernel's scores."""
    out = np.zeros(rows, np.float32)
    score(recency.arrays(rows), np.zeros(rows, np.float32), out)
    return out


def test_scores_are_the_formula() -> None:
    recency = Recency(1000)
    recency.clock[0] = 20_000_000
    powers = 2 ** np.arange(24)
    ages = np.unique([*powers - 1, *powers, *powers + 1, *np.random.default_rng(0).integers(0, 20_000_000, 900)])[:1000]
    recency.last[: len(ages)] = recency.clock[0] - ages
    got, expected = scores(recency, len(ages)), reference.recency(recency.arrays(len(ages)))
    np.testing.assert_allclose(got, expected, atol=1e-5)
    assert got[0] == 0.0
    # Never further from the logarithm than a chord from its arc.
    assert abs(got + np.log2(ages + 1.0)).max() < 0.0861
    assert (np.diff(got) <= 0).all()


def test_the_item_used_last_is_the_most_recent() -> None:
    recency = Recency(8)
    for row in (3, 1, 4, 1, 5, 2, 6, 5, 3, 5):
        learn(np.int32(row), recency.arrays(8))
    assert np.argsort(-scores(recency, 7), kind="stable")[:6].tolist() == [5, 3, 6, 2, 1, 4]


def test_an_item_that_nobody_used_is_as_recent_as_its_appearance() -> None:
    model = learned(events(100, users=5, items=20)).items
    (row,) = introduce(model, ["new"])
    assert model.recency.last[row] == model.events
    assert scores(model.recency, len(model.catalogue))[row] == 0.0


def test_an_item_met_by_a_dislike_appears_with_it_wherever_the_record_begins() -> None:
    stream = events(40, users=5, items=20, ratings=0.0, types=["click"])
    stream.insert(30, Click("u", "bad", START, "hide"))
    for size in (1, 7, 500):
        model = learned(stream, size, Engine(resident_users=100)).items
        before = learned(stream[:30], 100, Engine(resident_users=100)).items.events
        assert model.recency.last[model.catalogue.row("bad")] == before
