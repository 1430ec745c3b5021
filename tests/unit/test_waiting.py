"""Rows wait for their turn, each once, in rounds; of a catalogue too large for a turn, some turns look at one item."""

from __future__ import annotations

import numpy as np
import pytest
from workload import events, learned

from models import waiting
from models.waiting import Waiting
from streams.stewarding import neighbours
from streams.stewarding.neighbours import Neighbours


@pytest.mark.parametrize("stretch", [3, 1 << 16])
def test_rows_are_handed_out_once_and_in_rounds(stretch: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(waiting, "_STRETCH", stretch)
    draw, found, held, turn = np.random.default_rng(0), Waiting(), set[int](), 0
    for _ in range(200):
        added, gone = draw.integers(0, 3000, 20), draw.integers(0, 5000, 5)
        found.add(added)
        found.discard(gone)
        held = (held | set(added.tolist())) - set(gone.tolist())
        n = int(draw.integers(0, 40))
        expected = sorted(held, key=lambda row: (row < turn, row))[:n]
        assert found.take(n) == expected
        held -= set(expected)
        turn = expected[-1] + 1 if expected else turn


@pytest.mark.parametrize(("a_turn", "written"), [(0.2, 4), (3.5, 60), (1000.0, 200)])
def test_neighbours_of_a_large_catalogue_are_made_in_some_turns_only(
    a_turn: float, written: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = learned(events(400, items=300))
    items = engine.items
    items.touch(range(len(items.catalogue)))
    monkeypatch.setattr(neighbours, "_LOOKED_AT", a_turn * len(items.catalogue))
    work, waited = Neighbours(engine, "log"), len(items.catalogue)
    for _ in range(20):
        work.write(None, 1)  # nothing reaches a store: what it returns is not called
        work._rested = 0.0
    left = len(items.touched(10_000))
    assert abs(waited - left - min(written, waited)) <= 4
