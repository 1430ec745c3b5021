"""A part of a record is what some of its events alone would have been."""

from __future__ import annotations

from itertools import pairwise

import pytest
from workload import events, lessons, stretch

from contracts.cutting import Cutter
from contracts.learning import encode_lessons


@pytest.mark.parametrize("cuts", [[0, 300], [0, 1, 150, 151, 300], list(range(301))], ids=["whole", "some", "all"])
def test_a_part_holds_what_its_events_alone_teach_and_names_their_items_only(cuts: list[int]) -> None:
    whole = lessons(events(300))
    cutter, first = Cutter(whole), 0
    for start, stop in pairwise(cuts):
        expected = stretch(whole, start, stop)
        items = list(dict.fromkeys(whole.item[first : first + len(expected)].tolist()))
        part = cutter.part(first, first + len(expected), items, expected.sources)
        assert encode_lessons(part) == encode_lessons(expected)
        first += len(expected)
    assert first == len(whole) > 200
