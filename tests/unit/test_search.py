"""What fits free words best: what is rare counts more, what matches more of them first, kinds by their labels."""

from __future__ import annotations

import pytest

from serving.search.search import ranked

ACTION, SPACE, TITLE = 1, 2, 3


def order(scores: dict[str, float]) -> list[str]:
    return sorted(scores, key=lambda item: -scores[item])


def test_who_matches_all_that_was_said_comes_first() -> None:
    strengths = {ACTION: {"both": 0.5, "action": 1.0}, SPACE: {"both": 0.5, "space": 1.0}}
    scores = ranked([{ACTION: 1.0}, {SPACE: 1.0}], {ACTION: 100, SPACE: 10}, strengths)
    assert order(scores) == ["both", "space", "action"]


def test_of_several_names_of_one_thing_the_strongest_counts_and_a_mention_less() -> None:
    strengths = {ACTION: {"labelled": 0.5}, TITLE: {"labelled": 0.5, "mentioned": 1.0}}
    scores = ranked([{ACTION: 1.0, TITLE: 0.2}], {ACTION: 10, TITLE: 10}, strengths)
    assert scores["labelled"] == pytest.approx(2.5 * scores["mentioned"], rel=0.01)


def test_nothing_found_is_nothing_ranked() -> None:
    assert ranked([{ACTION: 1.0}], {}, {}) == {}
    assert ranked([], {}, {}) == {}
