"""Reasons in words."""

from __future__ import annotations

import pytest

from serving.answers import words

TITLES = {"1": "Toy Story", "2": "Heat", "3": "Alien"}


@pytest.mark.parametrize(
    ("reasons", "said"),
    [
        (["followed", "1"], "because of Toy Story: people who had it went on to this"),
        (["followed", "1", "2"], "because of Toy Story and Heat: people who had them went on to this"),
        (["together", "1", "2", "3"], "because of Toy Story, Heat and Alien: people who had them also had this"),
        (["embeddings", "2"], "because of Heat: this suits the same taste"),
        (["followed", "9"], "because of 9: people who had it went on to this"),
        (["popular"], "popular with everyone"),
        (["unheard-of", "1"], "because of Toy Story"),
        (["recency"], "the recency score speaks for it"),
        ([], ""),
    ],
)
def test_explanation(reasons: list[str], said: str) -> None:
    assert words.explain(reasons, TITLES) == said


def test_a_sentence_names_the_first_items_only() -> None:
    said = words.explain(["together", "1", "2", "3", "4", "5"], TITLES)
    assert said.startswith("because of Toy Story, Heat and Alien:")


def test_braces_in_a_title_are_only_text() -> None:
    assert words.explain(["followed", "1"], {"1": "{them} {0}"}).startswith("because of {them} {0}: people who had it")


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [
        (-50, "just now"),
        (999, "just now"),
        (1000, "1 s ago"),
        (59_999, "59 s ago"),
        (60_000, "1 min ago"),
        (3_600_000, "1 h ago"),
        (47 * 3_600_000, "47 h ago"),
        (49 * 3_600_000, "2 days ago"),
    ],
)
def test_age(milliseconds: int, said: str) -> None:
    assert words.ago(milliseconds) == said
